package dev.mullion.framing;

import java.nio.ByteBuffer;

/** A fixed number of hexadecimal digits, all in one case. */
record AsciiHex(int digits, boolean upperCase) implements LengthEncoding {
  AsciiHex {
    if (digits < 1 || digits > 8) {
      throw new IllegalArgumentException("digits: " + digits + " (expected: 1 to 8)");
    }
  }

  @Override
  public int minWidth() {
    return digits;
  }

  @Override
  public int maxWidth() {
    return digits;
  }

  @Override
  public long maxValue() {
    return (1L << (4 * digits)) - 1;
  }

  @Override
  public long read(ByteBuffer in) throws CorruptFrameException {
    int available = Math.min(in.remaining(), digits);
    long value = 0;
    for (int i = 0; i < available; i++) {
      int b = in.get();
      int letter = b - (upperCase ? 'A' : 'a');
      if (b >= '0' && b <= '9') {
        value = value << 4 | (b - '0');
      } else if (letter >= 0 && letter < 6) {
        value = value << 4 | (letter + 10);
      } else {
        throw new CorruptFrameException("hex length contains byte "
            + Bytes.hex((byte) b)
            + " (expected: 0-9 or "
            + (upperCase ? "A-F)" : "a-f)"));
      }
    }
    return available < digits ? INCOMPLETE : value;
  }

  @Override
  public void write(long value, ByteBuffer out) {
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
      int nibble = (int) (value >>> shift) & 0xF;
      out.put((byte) (nibble < 10 ? '0' + nibble : (upperCase ? 'A' : 'a') + nibble - 10));
    }
  }

  @Override
  public String toString() {
    return (upperCase ? "asciiHexUpperCase(" : "asciiHex(") + digits + ")";
  }
}
