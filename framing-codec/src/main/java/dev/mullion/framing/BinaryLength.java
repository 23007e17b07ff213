package dev.mullion.framing;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * An unsigned integer of 1 to 8 bytes. The hot path calls the static {@link #get} and {@link #put}
 * directly.
 */
record BinaryLength(int width, ByteOrder order) implements LengthEncoding {
  @Override
  public int minWidth() {
    return width;
  }

  @Override
  public int maxWidth() {
    return width;
  }

  @Override
  public long maxValue() {
    return width == 8 ? Long.MAX_VALUE : (1L << (8 * width)) - 1;
  }

  /** Reads eight bytes with the top bit set as {@link Long#MAX_VALUE}: no frame is that long. */
  @Override
  public long read(ByteBuffer in) {
    if (in.remaining() < width) {
      return INCOMPLETE;
    }
    long value = get(in, in.position(), width, order == ByteOrder.BIG_ENDIAN);
    in.position(in.position() + width);
    return value < 0 ? Long.MAX_VALUE : value;
  }

  @Override
  public void write(long value, ByteBuffer out) {
    put(out, out.position(), width, order == ByteOrder.BIG_ENDIAN, value);
    out.position(out.position() + width);
  }

  /** Reads {@code width} bytes of a big-endian buffer as an unsigned integer. */
  static long get(ByteBuffer in, int index, int width, boolean bigEndian) {
    return switch (width) {
      case 1 -> in.get(index) & 0xFFL;
      case 2 -> {
        short two = in.getShort(index);
        yield (bigEndian ? two : Short.reverseBytes(two)) & 0xFFFFL;
      }
      case 4 -> {
        int four = in.getInt(index);
        yield (bigEndian ? four : Integer.reverseBytes(four)) & 0xFFFF_FFFFL;
      }
      case 8 -> {
        long eight = in.getLong(index);
        yield bigEndian ? eight : Long.reverseBytes(eight);
      }
      default -> getOdd(in, index, width, bigEndian);
    };
  }

  private static long getOdd(ByteBuffer in, int index, int width, boolean bigEndian) {
    long value = 0;
    for (int i = 0; i < width; i++) {
      value = value << 8 | (in.get(index + (bigEndian ? i : width - 1 - i)) & 0xFF);
    }
    return value;
  }

  /** Writes the low {@code width} bytes of a value into a big-endian buffer. */
  static void put(ByteBuffer out, int index, int width, boolean bigEndian, long value) {
    switch (width) {
      case 1 -> out.put(index, (byte) value);
      case 2 -> out.putShort(index, bigEndian ? (short) value : Short.reverseBytes((short) value));
      case 4 -> out.putInt(index, bigEndian ? (int) value : Integer.reverseBytes((int) value));
      case 8 -> out.putLong(index, bigEndian ? value : Long.reverseBytes(value));
      default -> {
        for (int i = 0; i < width; i++) {
          int at = index + (bigEndian ? width - 1 - i : i);
          out.put(at, (byte) (value >>> (8 * i)));
        }
      }
    }
  }
}
