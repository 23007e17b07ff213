package dev.mullion.messaging;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A small file, mapped into memory, of the jobs whose handlers have begun, and of the newest
 * version of the store that is known to be on disk. What is put there survives the death of the
 * process at once; the disk gets it when the system finds time, so after a power failure it may be
 * older.
 *
 * <pre>
 *  "MULLMRK1" | synced version, 8 | 0 ... | slot | slot | ...
 *  0            8                   16      64     each: number, 8 | counts, 4 | queue + 1, 4
 * </pre>
 *
 * <p>A slot is taken by its queue, which is written last. The file is written in full before it is
 * mapped: a full disk is an error then, and does not kill the process later.
 */
final class StoreMarks {
  private static final long MAGIC = 0x4D554C4C4D524B31L;
  private static final int SYNCED = 8;
  private static final int FIRST = 64;
  private static final int SLOT = 16;
  private static final int INITIAL_SLOTS = 4096;
  private static final int MOST = 1 << 30;
  private static final VarHandle LONG =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

  private final Path path;
  private final ReentrantLock lock = new ReentrantLock();
  private final Map<Key, Integer> slots = new HashMap<>();
  private final ArrayDeque<Integer> free = new ArrayDeque<>();
  private ByteBuffer bytes;

  private record Key(int queue, long number) {}

  /** A mark that an earlier process has left: its handler had begun, with these counts before. */
  record Mark(int queue, long number, int counts) {}

  private StoreMarks(Path path, ByteBuffer bytes) {
    this.path = path;
    this.bytes = bytes;
  }

  /** Opens the file, or creates it. */
  static StoreMarks open(Path path) throws StoreException {
    try (FileChannel channel = channel(path)) {
      long size = channel.size();
      if (size == 0) {
        return new StoreMarks(path, map(channel, 0, FIRST + INITIAL_SLOTS * SLOT));
      }
      // a growth that failed may have left part of a slot
      int whole = size < FIRST ? 0 : (int) Math.min(size, MOST) / SLOT * SLOT;
      return checked(path, map(channel, whole, whole), size);
    } catch (StoreException e) {
      throw e;
    } catch (IOException e) {
      throw StoreMaps.unusable(path, "cannot be used", e);
    }
  }

  private static StoreMarks checked(Path path, ByteBuffer bytes, long size) throws StoreException {
    if (bytes.capacity() < FIRST || (long) LONG.getVolatile(bytes, 0) != MAGIC) {
      throw new StoreException(path + " is damaged, or not a file of marks (size " + size + ")");
    }
    return new StoreMarks(path, bytes);
  }

  /** Reads the file, which stays as it is. */
  static StoreMarks read(Path path) throws IOException {
    byte[] all = Files.readAllBytes(path);
    ByteBuffer bytes = ByteBuffer.allocateDirect(all.length / SLOT * SLOT);
    bytes.put(0, all, 0, bytes.capacity());
    return checked(path, bytes, all.length);
  }

  private static FileChannel channel(Path path) throws IOException {
    return FileChannel.open(
        path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
  }

  private static ByteBuffer map(FileChannel channel, int from, int to) throws IOException {
    ByteBuffer zeros = ByteBuffer.allocate(to - from);
    while (zeros.hasRemaining()) {
      channel.write(zeros, from + zeros.position());
    }
    if (from == 0 && to > 0) {
      channel.write(ByteBuffer.allocate(Long.BYTES).putLong(0, MAGIC), 0);
    }
    channel.force(true);
    return channel.map(FileChannel.MapMode.READ_WRITE, 0, to);
  }

  /** Returns the newest version that is known to be on disk; 0 if none is. */
  long syncedVersion() {
    return (long) LONG.getVolatile(bytes(), SYNCED);
  }

  /** Notes that a version is on disk. */
  void synced(long version) {
    LONG.setVolatile(bytes(), SYNCED, version);
  }

  private ByteBuffer bytes() {
    lock.lock();
    try {
      return bytes;
    } finally {
      lock.unlock();
    }
  }

  /** Returns the marks that an earlier process has left; they stay until {@link #clear}. */
  List<Mark> left() {
    List<Mark> left = new ArrayList<>();
    ByteBuffer all = bytes();
    for (int at = FIRST; at < all.capacity(); at += SLOT) {
      int queue = (int) INT.getVolatile(all, at + 12) - 1;
      if (queue >= 0) {
        left.add(new Mark(queue, all.getLong(at), all.getInt(at + 8)));
      }
    }
    return left;
  }

  /** Removes all marks. */
  void clear() {
    lock.lock();
    try {
      slots.clear();
      free.clear();
      for (int at = bytes.capacity() - SLOT; at >= FIRST; at -= SLOT) {
        INT.setVolatile(bytes, at + 12, 0);
        free.push(at);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Marks a job. */
  void put(int queue, long number, int counts) {
    Key key = new Key(queue, number);
    lock.lock();
    try {
      Integer known = slots.get(key);
      if (known == null && free.isEmpty() && !grow()) {
        return;
      }
      int at = known == null ? free.pop() : known;
      slots.put(key, at);
      bytes.putLong(at, number);
      bytes.putInt(at + 8, counts);
      INT.setVolatile(bytes, at + 12, queue + 1);
    } finally {
      lock.unlock();
    }
  }

  /** Removes a job's mark. */
  void remove(int queue, long number) {
    Key key = new Key(queue, number);
    lock.lock();
    try {
      Integer at = slots.remove(key);
      if (at != null) {
        INT.setVolatile(bytes, at + 12, 0);
        free.push(at);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Doubles the file. An interrupt must not close its channel, so it is put off. */
  private boolean grow() {
    boolean interrupted = Thread.interrupted();
    int size = bytes.capacity();
    try (FileChannel channel = channel(path)) {
      bytes = map(channel, size, Math.multiplyExact(2, size) - FIRST);
      for (int at = bytes.capacity() - SLOT; at >= size; at -= SLOT) {
        free.push(at);
      }
      return true;
    } catch (IOException | ArithmeticException e) {
      LimitedLog.warn(
          "marks",
          path + " cannot grow: jobs are not marked when they begin, so the death of this"
              + " process is not counted for them",
          e);
      return false;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
