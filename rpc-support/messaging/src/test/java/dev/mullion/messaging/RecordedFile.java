package dev.mullion.messaging;

import java.io.EOFException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;

/**
 * A file in memory that records what is written, cut and synced, so that a test can make the file
 * that a power failure would have left at each of these moments.
 */
final class RecordedFile implements BlockFile {
  private static final int SECTOR = 512;

  private final Image start;
  private final Image now;
  private final List<Event> events = new ArrayList<>();

  /** What happened to the file, or was told about it by the test. */
  sealed interface Event {
    /** Bytes were written. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Write(long position, byte[] bytes) implements Event {}

    /** The file was cut. */
    record Truncate(long size) implements Event {}

    /** All before is on disk. */
    record Sync() implements Event {}

    /** The test began a commit, or got its acknowledgement. */
    record Commit(int number, boolean acknowledged, long version) implements Event {}
  }

  RecordedFile(Image start) {
    this.start = start;
    this.now = start.copy();
  }

  List<Event> events() {
    return events;
  }

  Image start() {
    return start;
  }

  void commit(int number, boolean acknowledged, long version) {
    events.add(new Event.Commit(number, acknowledged, version));
  }

  @Override
  public void read(long position, byte[] target, int offset, int length) throws IOException {
    if (position < 0 || position + length > now.size) {
      throw new EOFException("at " + position + " of " + now.size);
    }
    System.arraycopy(now.bytes, (int) position, target, offset, length);
  }

  @Override
  public void write(long position, byte[] source, int offset, int length) {
    Event.Write write =
        new Event.Write(position, Arrays.copyOfRange(source, offset, offset + length));
    events.add(write);
    now.apply(write);
  }

  @Override
  public void truncate(long size) {
    events.add(new Event.Truncate(size));
    now.apply(new Event.Truncate(size));
  }

  @Override
  public void sync() {
    events.add(new Event.Sync());
  }

  @Override
  public long size() {
    return now.size;
  }

  @Override
  public void close() {}

  /** A file's bytes. */
  static final class Image {
    private byte[] bytes = new byte[1 << 16];
    private int size;

    Image copy() {
      Image copy = new Image();
      copy.bytes = bytes.clone();
      copy.size = size;
      return copy;
    }

    int size() {
      return size;
    }

    byte[] bytes() {
      return bytes;
    }

    void apply(Event event) {
      if (event instanceof Event.Write write) {
        room((int) write.position() + write.bytes().length);
        System.arraycopy(write.bytes(), 0, bytes, (int) write.position(), write.bytes().length);
      } else if (event instanceof Event.Truncate truncate && truncate.size() < size) {
        Arrays.fill(bytes, (int) truncate.size(), size, (byte) 0);
        size = (int) truncate.size();
      }
    }

    /** Applies the first bytes of a write only. */
    void applyPrefix(Event.Write write, int length) {
      apply(new Event.Write(write.position(), Arrays.copyOf(write.bytes(), length)));
    }

    /** Applies some sectors of a write only, as a disk may that orders them by itself. */
    void applySectors(Event.Write write, Random random) {
      int length = write.bytes().length;
      BitSet kept = new BitSet();
      for (int sector = 0; sector * SECTOR < length; sector++) {
        kept.set(sector, random.nextInt(4) > 0);
      }
      int missing = random.nextInt(1 + length / SECTOR);
      kept.clear(missing);
      room((int) write.position() + length); // the size may be there without the bytes
      for (int sector = 0; sector * SECTOR < length; sector++) {
        if (kept.get(sector)) {
          int at = sector * SECTOR;
          int to = (int) write.position() + at;
          System.arraycopy(write.bytes(), at, bytes, to, Math.min(SECTOR, length - at));
        }
      }
    }

    private void room(int end) {
      if (end > bytes.length) {
        bytes = Arrays.copyOf(bytes, Math.max(end, bytes.length * 2));
      }
      size = Math.max(size, end);
    }
  }
}
