package dev.mullion.framing;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;

/** Draws formats, and frames on the wire that fit them. */
final class RandomFormats {
  private final Random random;

  /** How often a test draws; {@code -Dmullion.framing.draws=10} has it draw ten times as often. */
  static int times(int usual) {
    return usual * Integer.getInteger("mullion.framing.draws", 1);
  }

  RandomFormats(Random random) {
    this.random = random;
  }

  /** Draws from all settings; what the builder refuses is drawn again. */
  FrameFormat any() {
    while (true) {
      FrameFormat.Builder builder = FrameFormat.builder();
      drawLength(builder);
      drawConstants(builder);
      drawNumbers(builder);
      try {
        return builder.build();
      } catch (IllegalStateException contradiction) {
        // Drawn again.
      }
    }
  }

  private void drawLength(FrameFormat.Builder builder) {
    switch (random.nextInt(9)) {
      case 0 -> builder.lengthEncoding(LengthEncoding.varint32());
      case 1 -> builder.lengthEncoding(LengthEncoding.asciiDecimal(':'));
      case 2 -> builder.lengthEncoding(LengthEncoding.asciiHex(1 + random.nextInt(8)));
      case 3 -> builder.lengthEncoding(LengthEncoding.asciiHexUpperCase(1 + random.nextInt(8)));
      case 4 -> builder.lengthEncoding(new FourDigits());
      case 5 -> {}
      default -> {
        builder.lengthFieldLength(1 + random.nextInt(8));
        builder.byteOrder(random.nextBoolean() ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
      }
    }
  }

  private void drawConstants(FrameFormat.Builder builder) {
    byte[] before = constant();
    builder.beforeLength(before).afterLength(constant()).trailer(constant());
    if (random.nextInt(3) == 0) {
      builder.lengthFieldOffset(before.length + random.nextInt(4));
    }
  }

  private void drawNumbers(FrameFormat.Builder builder) {
    if (random.nextBoolean()) {
      builder.lengthAdjustment(random.nextInt(25) - 12);
    }
    if (random.nextBoolean()) {
      builder.initialBytesToStrip(random.nextInt(14));
    }
    if (random.nextBoolean()) {
      builder.maxFrameLength(1 + random.nextInt(300));
    }
  }

  private byte[] constant() {
    return random.nextBoolean() ? Bytes.NONE : bytes(1 + random.nextInt(3));
  }

  byte[] bytes(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }

  /** Draws a frame on the wire; now and then it is longer than what readers and writers gather. */
  byte[] wire(FrameFormat format) throws CorruptFrameException {
    byte[] before = format.beforeLength();
    byte[] after = format.afterLength();
    byte[] trailer = format.trailer();
    int stripped = format.initialBytesToStrip() - format.lengthFieldOffset();
    int behind = format.lengthFieldLength() == 0
        ? after.length
        : Math.max(after.length, stripped - format.lengthFieldLength());
    int least = Math.max(0, format.lengthAdjustment() - behind - trailer.length);
    int spread = random.nextInt(50) == 0 ? 40_000 : 40;
    int payload = least + random.nextInt(Math.min(spread, format.maxFrameLength() - least) + 1);
    long length = (long) behind + payload + trailer.length - format.lengthAdjustment();
    return Wire.join(
        before,
        bytes(format.lengthFieldOffset() - before.length),
        written(format.lengthEncoding(), length),
        after,
        bytes(behind - after.length),
        bytes(payload),
        trailer);
  }

  private static byte[] written(LengthEncoding encoding, long length) throws CorruptFrameException {
    ByteBuffer out = ByteBuffer.allocate(encoding.maxWidth());
    encoding.write(length, out);
    return Arrays.copyOf(out.array(), out.position());
  }

  /** Returns what is delivered of a frame on the wire. */
  static byte[] delivered(FrameFormat format, byte[] wire) throws CorruptFrameException {
    int from = format.initialBytesToStrip();
    if (from < 0) {
      int offset = format.lengthFieldOffset();
      ByteBuffer length = ByteBuffer.wrap(wire, offset, wire.length - offset);
      format.lengthEncoding().read(length);
      from = length.position() + format.afterLength().length;
    }
    return Arrays.copyOfRange(wire, from, wire.length - format.trailer().length);
  }
}
