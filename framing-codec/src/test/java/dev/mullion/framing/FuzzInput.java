package dev.mullion.framing;

import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Draws what a fuzz test needs from its input, and zeros when that is used up. */
final class FuzzInput {
  private final byte[] bytes;
  private int at;

  FuzzInput(byte[] bytes) {
    this.bytes = bytes;
  }

  private int next() {
    return at < bytes.length ? bytes[at++] & 0xFF : 0;
  }

  boolean flag() {
    return (next() & 1) != 0;
  }

  private int below(int bound) {
    return next() % bound;
  }

  private byte[] some(int below) {
    byte[] some = new byte[below(below)];
    for (int i = 0; i < some.length; i++) {
      some[i] = (byte) next();
    }
    return some;
  }

  /** A format, or null if the settings that were drawn contradict each other. */
  @Nullable
  FrameFormat format() {
    FrameFormat.Builder builder = FrameFormat.builder();
    switch (below(8)) {
      case 0 -> builder.lengthEncoding(LengthEncoding.varint32());
      case 1 -> builder.lengthEncoding(LengthEncoding.asciiDecimal(':'));
      case 2 -> builder.lengthEncoding(LengthEncoding.asciiHex(1 + below(8)));
      default -> {
        builder.lengthFieldLength(1 + below(8));
        builder.byteOrder(flag() ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
      }
    }
    int has = next();
    if ((has & 1) != 0) {
      builder.beforeLength(some(4));
    }
    if ((has & 2) != 0) {
      builder.lengthFieldOffset(below(8));
    }
    if ((has & 4) != 0) {
      builder.afterLength(some(4));
    }
    if ((has & 8) != 0) {
      builder.trailer(some(4));
    }
    if ((has & 16) != 0) {
      builder.lengthAdjustment((byte) next());
    }
    if ((has & 32) != 0) {
      builder.initialBytesToStrip(below(24));
    }
    if ((has & 64) != 0) {
      builder.maxFrameLength(1 + (next() << 8) + next());
    }
    try {
      return builder.build();
    } catch (IllegalStateException contradiction) {
      return null;
    }
  }

  /** Lengths of pieces, to be repeated. */
  int[] cuts() {
    int[] cuts = new int[1 + below(6)];
    for (int i = 0; i < cuts.length; i++) {
      int length = next();
      cuts[i] = length < 128 ? 1 + length : (length - 127) * 100;
    }
    return cuts;
  }

  /** All that is left, and sometimes zeros behind it. */
  byte[] wire() {
    int zeros = below(4) == 3 ? 32 * next() : 0;
    int start = Math.min(at, bytes.length);
    byte[] wire = Arrays.copyOfRange(bytes, start, bytes.length);
    at = bytes.length;
    return Arrays.copyOf(wire, wire.length + zeros);
  }

  /** A frame, or null if nothing is left. */
  byte @Nullable [] frame() {
    if (at >= bytes.length) {
      return null;
    }
    int length = next();
    byte[] given = some(64);
    return Arrays.copyOf(given, length < 192 ? given.length : given.length + 100 * (length - 191));
  }
}
