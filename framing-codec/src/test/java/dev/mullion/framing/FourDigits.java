package dev.mullion.framing;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** The example of {@link LengthEncoding}, which {@link JavadocExamplesTest} compares with this. */
record FourDigits() implements LengthEncoding {
  @Override
  public int minWidth() {
    return 4;
  }

  @Override
  public int maxWidth() {
    return 4;
  }

  @Override
  public long maxValue() {
    return 9999;
  }

  @Override
  public long read(ByteBuffer in) throws CorruptFrameException {
    if (in.remaining() < 4) {
      return INCOMPLETE;
    }
    long value = 0;
    for (int i = 0; i < 4; i++) {
      int digit = in.get() - '0';
      if (digit < 0 || digit > 9) {
        throw new CorruptFrameException("length is not decimal");
      }
      value = value * 10 + digit;
    }
    return value;
  }

  @Override
  public void write(long value, ByteBuffer out) {
    out.put(String.format(Locale.ROOT, "%04d", value).getBytes(StandardCharsets.US_ASCII));
  }
}
