package dev.mullion.framing;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;

/** Views bytes, compares them, and formats them for messages. */
final class Bytes {
  static final byte[] NONE = {};

  private static final int MOST_SHOWN = 32;
  private static final HexFormat HEX = HexFormat.of().withUpperCase();

  private Bytes() {}

  /** Takes ownership of bytes, and copies them if they are not in one memory region. */
  static ByteBuf inOnePiece(ByteBuf bytes, ByteBufAllocator allocator) {
    if (bytes.nioBufferCount() == 1) {
      return bytes;
    }
    ByteBuf copy = allocator.buffer(bytes.readableBytes());
    copy.writeBytes(bytes);
    bytes.release();
    return copy;
  }

  /**
   * Returns a big-endian view of the readable bytes: its order is the reader's, not the format's.
   */
  static ByteBuffer view(ByteBuf in) {
    return view(in, in.readerIndex(), in.readableBytes());
  }

  /** Returns a big-endian view of some bytes of a buffer. */
  static ByteBuffer view(ByteBuf in, int index, int length) {
    return in.internalNioBuffer(index, length).order(ByteOrder.BIG_ENDIAN);
  }

  /** Returns {@code 0xCAFE} for two bytes. */
  static String hex(byte... bytes) {
    return hex(bytes, bytes.length);
  }

  private static String hex(byte[] bytes, int length) {
    int shown = Math.min(length, MOST_SHOWN);
    return "0x" + HEX.formatHex(bytes, 0, shown) + (shown < length ? "..." : "");
  }

  /** Returns the bytes at an index of a buffer in hex, as many as a message may show. */
  static String hex(ByteBuffer in, int index, int length) {
    byte[] seen = new byte[Math.min(length, MOST_SHOWN + 1)];
    in.get(index, seen);
    return hex(seen, seen.length);
  }

  /** Returns whether the buffer has these bytes at the index; its position does not move. */
  static boolean at(ByteBuffer in, int index, byte[] expected) {
    for (int i = 0; i < expected.length; i++) {
      if (in.get(index + i) != expected[i]) {
        return false;
      }
    }
    return true;
  }
}
