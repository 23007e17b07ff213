package dev.mullion.messaging;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32C;
import java.util.zip.ZipOutputStream;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.FileStore;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.MVStoreException;
import org.h2.mvstore.RandomAccessStore;
import org.h2.mvstore.SFChunk;
import org.jspecify.annotations.Nullable;

/**
 * The file as MVStore uses it: two blocks of header, and chunks, one for each commit.
 *
 * <pre>
 *  | header | header | chunk: head | pages | ... | foot, 128 bytes, with a checksum of the rest |
 *  0        4096     8192
 * </pre>
 *
 * <p>MVStore by itself trusts a chunk whose head and foot are intact. A torn write may leave both
 * and lose what is between, so a checksum stands in the foot's padding. It is compared when a store
 * opens, for chunks above the version that is known to have been synced.
 */
final class StoreFile extends RandomAccessStore {
  private static final int BLOCK = 4096;
  private static final int HEAD = 1024;
  private static final int FOOT = 128;
  private static final String CHECK = ",crc:";

  private final BlockFile file;
  private final long syncedVersion;
  private final Map<Long, Boolean> checked = new HashMap<>(); // while opening, by position of foot
  private boolean opening = true;
  private boolean clean;

  /**
   * Takes an open file.
   *
   * @param syncedVersion a version known to be on disk: the file must not have less
   */
  StoreFile(BlockFile file, String name, boolean readOnly, long syncedVersion) throws IOException {
    super(new HashMap<>());
    this.file = file;
    this.syncedVersion = syncedVersion;
    init(name, readOnly);
    setSize(file.size());
  }

  /** Ends the checks of opening; the caller has found the maps that it expects. */
  void opened() {
    opening = false;
    checked.clear();
  }

  /** Returns whether the file was closed in order when it was last used. */
  boolean wasClean() {
    return clean;
  }

  /** Rewrites sparse chunks and moves others into gaps: {@code bytes} of each, for a bounded time. */
  void compact(MVStore store, int millis, int bytes) {
    compactStore(getAutoCompactFillRate(), millis, bytes, store);
    compactMoveChunks(getAutoCompactFillRate(), bytes, store);
  }

  @Override
  protected void readStoreHeader(boolean recoveryMode) {
    HeaderCheck header = new HeaderCheck();
    clean = header.clean;
    // A quick search begins with the chunk of which the header tells. Without it, each chunk of the
    // file has to be found: the search would take an older one that happens to be complete.
    super.readStoreHeader(recoveryMode || !header.intact);
  }

  @Override
  public ByteBuffer readFully(@Nullable SFChunk chunk, long position, int length) {
    byte[] bytes = readBytes(position, length);
    if (opening && chunk == null && length == FOOT && (position + FOOT) % BLOCK == 0) {
      return ByteBuffer.wrap(isWhole(position, bytes) ? bytes : new byte[FOOT]);
    }
    return ByteBuffer.wrap(bytes);
  }

  private byte[] readBytes(long position, int length) {
    byte[] bytes = new byte[length];
    try {
      file.read(position, bytes, 0, length);
    } catch (IOException e) {
      throw DataUtils.newMVStoreException(
          e instanceof EOFException ? DataUtils.ERROR_FILE_CORRUPT : DataUtils.ERROR_READING_FAILED,
          "Cannot read {0} bytes at {1} (size {2})",
          length,
          position,
          size(),
          e);
    }
    readCount.incrementAndGet();
    readBytes.addAndGet(length);
    return bytes;
  }

  @Override
  protected void writeFully(@Nullable SFChunk chunk, long position, ByteBuffer source) {
    byte[] bytes = source.array();
    int start = source.arrayOffset() + source.position();
    int length = source.remaining();
    if (chunk != null) {
      putCheck(bytes, start, length);
    }
    try {
      file.write(position, bytes, start, length);
    } catch (IOException e) {
      throw DataUtils.newMVStoreException(
          DataUtils.ERROR_WRITING_FAILED, "Cannot write {0} bytes at {1}", length, position, e);
    }
    source.position(source.limit());
    setSize(Math.max(size(), position + length));
    writeCount.incrementAndGet();
    writeBytes.addAndGet(length);
  }

  private static void putCheck(byte[] bytes, int start, int length) {
    int foot = start + length - FOOT;
    int end = foot;
    while (bytes[end] > ' ') {
      end++;
    }
    String check = CHECK + checksum(bytes, start, length - FOOT);
    byte[] text = check.getBytes(StandardCharsets.ISO_8859_1);
    System.arraycopy(text, 0, bytes, end, text.length); // 128 bytes have room for all fields
  }

  private static String checksum(byte[] bytes, int start, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, start, length);
    return Long.toHexString(crc.getValue());
  }

  private boolean isWhole(long position, byte[] foot) {
    if (foot[0] != 'c' || foot[1] != 'h') {
      return false; // chunk:
    }
    Map<String, String> fields = fields(foot, 0, FOOT);
    try {
      long length = Long.parseLong(fields.getOrDefault("len", ""), 16) * BLOCK;
      long version = Long.parseLong(fields.getOrDefault("version", ""), 16);
      String check = fields.getOrDefault("crc", "");
      return version <= syncedVersion
          || checked.computeIfAbsent(position, p -> isWhole(p, length, check));
    } catch (NumberFormatException e) {
      return false;
    }
  }

  private boolean isWhole(long position, long length, String check) {
    long start = position + FOOT - length;
    if (start < 2 * BLOCK || length < BLOCK || length > Integer.MAX_VALUE) {
      return false;
    }
    byte[] chunk = new byte[(int) length];
    try {
      file.read(start, chunk, 0, chunk.length);
    } catch (IOException e) {
      return false; // if the disk fails, what follows finds nothing to open, and says so
    }
    return checksum(chunk, 0, chunk.length - FOOT).equals(check);
  }

  /** Returns the fields of a header or foot; none if it is not one. */
  private static Map<String, String> fields(byte[] bytes, int start, int length) {
    String text = new String(bytes, start, length, StandardCharsets.ISO_8859_1);
    int end = text.indexOf('\n');
    try {
      return DataUtils.parseMap(text.substring(0, Math.max(0, end)).trim());
    } catch (MVStoreException e) {
      return Map.of();
    }
  }

  @Override
  public void sync() {
    try {
      file.sync();
    } catch (IOException e) {
      throw DataUtils.newMVStoreException(DataUtils.ERROR_WRITING_FAILED, "Cannot sync", e);
    }
  }

  @Override
  protected void truncate(long size) {
    try {
      file.truncate(size);
    } catch (IOException e) {
      throw DataUtils.newMVStoreException(
          DataUtils.ERROR_WRITING_FAILED, "Cannot truncate to {0} bytes", size, e);
    }
    setSize(Math.min(size(), size));
    writeCount.incrementAndGet();
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw DataUtils.newMVStoreException(DataUtils.ERROR_WRITING_FAILED, "Cannot close", e);
    } finally {
      super.close();
    }
  }

  @Override
  public void open(String fileName, boolean readOnly, char[] encryptionKey) {
    throw new UnsupportedOperationException("opened by its constructor");
  }

  @Override
  public FileStore<SFChunk> open(String fileName, boolean readOnly) {
    throw new UnsupportedOperationException("opened by its constructor");
  }

  @Override
  public void backup(ZipOutputStream out) {
    throw new UnsupportedOperationException("not used");
  }

  /** What the two copies of the header say before MVStore reads them. */
  private final class HeaderCheck {
    boolean intact;
    boolean clean;

    HeaderCheck() {
      if (StoreFile.this.size() < 2 * BLOCK) {
        return;
      }
      byte[] bytes = readBytes(0, 2 * BLOCK);
      Map<String, String> first = fields(bytes, 0, BLOCK);
      if (first.isEmpty() || !first.equals(fields(bytes, BLOCK, BLOCK))) {
        return;
      }
      clean = first.containsKey("clean");
      intact = isChunkIntact(first);
    }

    private boolean isChunkIntact(Map<String, String> header) {
      String block = header.get("block");
      if (block == null) {
        return true; // nothing was committed yet
      }
      try {
        long position = Long.parseLong(block, 16) * BLOCK;
        byte[] head = readBytes(position, HEAD);
        Map<String, String> fields = fields(head, 0, HEAD);
        long length = Long.parseLong(fields.getOrDefault("len", ""), 16) * BLOCK;
        byte[] foot = readBytes(position + length - FOOT, FOOT);
        Map<String, String> ends = fields(foot, 0, FOOT);
        return isWhole(position + length - FOOT, foot)
            && Objects.equals(header.get("chunk"), ends.get("chunk"))
            && Objects.equals(header.get("version"), ends.get("version"));
      } catch (MVStoreException | NumberFormatException e) {
        return false;
      }
    }
  }
}
