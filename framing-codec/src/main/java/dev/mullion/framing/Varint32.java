package dev.mullion.framing;

import java.nio.ByteBuffer;

/** Seven bits in each byte, lowest first; the top bit is set in all bytes but the last. */
record Varint32() implements LengthEncoding {
  private static final int MAX_WIDTH = 5;

  @Override
  public int minWidth() {
    return 1;
  }

  @Override
  public int maxWidth() {
    return MAX_WIDTH;
  }

  @Override
  public long maxValue() {
    return 0xFFFF_FFFFL;
  }

  @Override
  public long read(ByteBuffer in) throws CorruptFrameException {
    int available = Math.min(in.remaining(), MAX_WIDTH);
    long value = 0;
    for (int i = 0; i < available; i++) {
      int b = in.get();
      value |= (long) (b & 0x7F) << (7 * i);
      if (b >= 0) {
        if (b == 0 && i > 0) {
          throw new CorruptFrameException(
              "varint length " + value + " is over-long: " + (i + 1) + " bytes, the last is 0");
        }
        if (value > maxValue()) {
          throw new CorruptFrameException(
              "varint length " + value + " exceeds 32 bits (expected: <= 4294967295)");
        }
        return value;
      }
    }
    if (available == MAX_WIDTH) {
      throw new CorruptFrameException("varint length has more than 5 bytes");
    }
    return INCOMPLETE;
  }

  @Override
  public void write(long value, ByteBuffer out) {
    long rest = value;
    while (rest > 0x7F) {
      out.put((byte) (rest | 0x80));
      rest >>>= 7;
    }
    out.put((byte) rest);
  }

  @Override
  public String toString() {
    return "varint32";
  }
}
