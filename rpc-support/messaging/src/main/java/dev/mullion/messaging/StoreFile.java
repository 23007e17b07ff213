package dev.mullion.messaging;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.CRC32C;
import java.util.zip.ZipOutputStream;
import org.h2.mvstore.DataUtils;
import org.h2.mvstore.FileStore;
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
 * <p>Two things are stricter than in MVStore. It trusts a chunk whose head and foot are intact, but
 * a torn write may leave both and lose what is between: so a checksum stands in the foot's padding.
 * It begins with a number that only this file's header has, so that no message can contain a foot.
 * And MVStore looks for the newest chunk where the header and the chunks before it point; a torn
 * write may have broken that chain in favour of an older one: so a file that was not closed is
 * searched from its end to its start.
 */
final class StoreFile extends RandomAccessStore {
  private static final int BLOCK = 4096;
  private static final int HEAD = 1024;
  private static final int FOOT = 128;
  private static final int WINDOW = 1 << 20;
  private static final String CHECK = ",crc:";
  private static final String SALT = "salt";

  private final BlockFile file;
  private final Map<Long, Boolean> checked = new HashMap<>(); // while opening, by position of foot
  private byte[] window = new byte[0]; // while opening
  private long windowStart;
  private boolean opening = true;
  private boolean clean;
  private long salt;

  /** Takes an open file. */
  StoreFile(BlockFile file, String name, boolean readOnly) throws IOException {
    super(new HashMap<>());
    this.file = file;
    init(name, readOnly);
    setSize(file.size());
  }

  /** Ends the checks of opening; the caller has found the maps that it expects. */
  void opened() {
    opening = false;
    checked.clear();
    window = new byte[0];
  }

  /** Returns whether the header is one that this class has written. */
  boolean isOfThisLibrary() {
    return storeHeader.containsKey(SALT);
  }

  /** Returns whether the file was closed in order when it was last used. */
  boolean wasClean() {
    return clean;
  }

  @Override
  protected void initializeStoreHeader(long time) {
    salt = new SecureRandom().nextLong();
    storeHeader.put(SALT, salt);
    super.initializeStoreHeader(time);
  }

  @Override
  protected void readStoreHeader(boolean recoveryMode) {
    clean = isHeaderClean();
    super.readStoreHeader(recoveryMode || !clean);
  }

  @Override
  public ByteBuffer readFully(@Nullable SFChunk chunk, long position, int length) {
    byte[] bytes = readBytes(position, length);
    if (opening && chunk == null) {
      if (length == HEAD && !isChunk(bytes)) {
        throw NoChunk.INSTANCE;
      }
      if (length == FOOT && !(isChunk(bytes) && isWhole(position, bytes))) {
        throw NoChunk.INSTANCE;
      }
    }
    return ByteBuffer.wrap(bytes);
  }

  private byte[] readBytes(long position, int length) {
    byte[] bytes = new byte[length];
    try {
      if (!opening || !copyFromWindow(position, bytes)) {
        file.read(position, bytes, 0, length);
      }
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

  /** Copies from a part of the file that is read at once: a search reads some of each block. */
  private boolean copyFromWindow(long position, byte[] target) throws IOException {
    long start = position / WINDOW * WINDOW;
    if (position < 0 || position + target.length > Math.min(start + WINDOW, size())) {
      return false;
    }
    if (window.length == 0 || windowStart != start) {
      window = new byte[(int) Math.min(WINDOW, size() - start)];
      windowStart = start;
      file.read(start, window, 0, window.length);
    }
    System.arraycopy(window, (int) (position - start), target, 0, target.length);
    return true;
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

  private void putCheck(byte[] bytes, int start, int length) {
    int foot = start + length - FOOT;
    int end = foot;
    while (bytes[end] > ' ') {
      end++;
    }
    String check = CHECK + checksum(bytes, start, length - FOOT);
    byte[] text = check.getBytes(StandardCharsets.ISO_8859_1);
    System.arraycopy(text, 0, bytes, end, text.length); // 128 bytes have room for all fields
  }

  private String checksum(byte[] bytes, int start, int length) {
    CRC32C crc = new CRC32C();
    crc.update(ByteBuffer.allocate(Long.BYTES).putLong(0, salt));
    crc.update(bytes, start, length);
    return Long.toHexString(crc.getValue());
  }

  private static boolean isChunk(byte[] bytes) {
    return bytes[0] == 'c' && bytes[1] == 'h'; // chunk:
  }

  private boolean isWhole(long position, byte[] foot) {
    Map<String, String> fields = fields(foot, 0, FOOT);
    try {
      long length = Long.parseLong(fields.getOrDefault("len", ""), 16) * BLOCK;
      String check = fields.getOrDefault("crc", "");
      return checked.computeIfAbsent(position, p -> isWhole(p, length, check));
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

  /** Returns whether the file was closed, and both copies of its header tell of the same chunk. */
  private boolean isHeaderClean() {
    if (size() < 2 * BLOCK) {
      return false;
    }
    byte[] bytes = readBytes(0, 2 * BLOCK);
    Map<String, String> first = header(bytes, 0);
    Map<String, String> second = header(bytes, BLOCK);
    try {
      salt = Long.parseUnsignedLong(first.getOrDefault(SALT, second.getOrDefault(SALT, "")), 16);
      return first.equals(second)
          && first.containsKey("clean")
          && isChunkWhole(first.getOrDefault("block", ""), first.getOrDefault("version", ""));
    } catch (MVStoreException | NumberFormatException e) {
      return false;
    }
  }

  private static Map<String, String> header(byte[] bytes, int start) {
    Map<String, String> fields = fields(bytes, start, BLOCK);
    String end = ",fletcher:" + fields.get("fletcher");
    String text = new String(bytes, start, BLOCK, StandardCharsets.ISO_8859_1);
    int length = Math.max(0, text.indexOf(end));
    String check = Integer.toHexString(DataUtils.getFletcher32(bytes, start, length));
    return check.equals(fields.get("fletcher")) ? fields : Map.of();
  }

  private boolean isChunkWhole(String block, String version) {
    long position = Long.parseLong(block, 16) * BLOCK;
    Map<String, String> head = fields(readBytes(position, HEAD), 0, HEAD);
    long length = Long.parseLong(head.getOrDefault("len", ""), 16) * BLOCK;
    byte[] foot = readBytes(position + length - FOOT, FOOT);
    return version.equals(fields(foot, 0, FOOT).get("version"))
        && isWhole(position + length - FOOT, foot);
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
  public String toString() {
    return getFileName(); // in messages
  }

  @Override
  public void backup(ZipOutputStream out) {
    throw new UnsupportedOperationException("not used");
  }

  /** What MVStore expects of a read while it searches; most blocks of a file end it this way. */
  private static final class NoChunk extends RuntimeException {
    private static final long serialVersionUID = 1L;

    @SuppressWarnings("StaticAssignmentOfThrowable") // it has no stack, and nobody sees it
    static final NoChunk INSTANCE = new NoChunk();

    private NoChunk() {
      super("no chunk begins or ends here", null, false, false);
    }
  }
}
