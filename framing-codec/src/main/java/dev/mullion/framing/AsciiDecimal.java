package dev.mullion.framing;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Decimal digits without leading zeros, then a delimiter; values below {@code least} are corrupt.
 */
record AsciiDecimal(char delimiter, int least) implements LengthEncoding {
  private static final int MAX_DIGITS = 18;

  AsciiDecimal {
    if (delimiter > 0x7F || (delimiter >= '0' && delimiter <= '9')) {
      throw new IllegalArgumentException(
          "delimiter: " + named(delimiter) + " (expected: an ASCII character that is not a digit)");
    }
  }

  @Override
  public int minWidth() {
    return 2;
  }

  @Override
  public int maxWidth() {
    return MAX_DIGITS + 1;
  }

  @Override
  public long maxValue() {
    return 999_999_999_999_999_999L;
  }

  @Override
  public long read(ByteBuffer in) throws CorruptFrameException {
    long value = 0;
    for (int digits = 0; in.hasRemaining(); digits++) {
      int b = in.get();
      if (b == delimiter && digits > 0) {
        return atLeast(value);
      }
      if (b < '0' || b > '9') {
        throw new CorruptFrameException("decimal length contains byte "
            + Bytes.hex((byte) b)
            + " (expected: digits, then "
            + named(delimiter)
            + ")");
      }
      if (digits == 1 && value == 0) {
        throw new CorruptFrameException("decimal length has a leading zero");
      }
      if (digits == MAX_DIGITS) {
        throw new CorruptFrameException("decimal length has more than 18 digits");
      }
      value = value * 10 + (b - '0');
    }
    return INCOMPLETE;
  }

  @Override
  public void write(long value, ByteBuffer out) throws CorruptFrameException {
    out.put(Long.toString(atLeast(value)).getBytes(StandardCharsets.US_ASCII));
    out.put((byte) delimiter);
  }

  private long atLeast(long value) throws CorruptFrameException {
    if (value < least) {
      throw new CorruptFrameException("decimal length " + value + " (expected: >= " + least + ")");
    }
    return value;
  }

  private static String named(char c) {
    return c > ' ' && c < 0x7F ? "'" + c + "'" : "0x" + Integer.toHexString(c);
  }

  @Override
  public String toString() {
    return "asciiDecimal(" + named(delimiter) + (least > 0 ? ", >= " + least : "") + ")";
  }
}
