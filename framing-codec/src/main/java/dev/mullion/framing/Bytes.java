package dev.mullion.framing;

import java.nio.ByteBuffer;
import java.util.HexFormat;

/** Comparing bytes, and showing them in messages. */
final class Bytes {
  static final byte[] NONE = {};

  private static final int MOST_SHOWN = 32;
  private static final HexFormat HEX = HexFormat.of().withUpperCase();

  private Bytes() {}

  /** Returns {@code 0xCAFE} for two bytes. */
  static String hex(byte... bytes) {
    return hex(bytes, bytes.length);
  }

  private static String hex(byte[] bytes, int length) {
    int shown = Math.min(length, MOST_SHOWN);
    return "0x" + HEX.formatHex(bytes, 0, shown) + (shown < length ? "..." : "");
  }

  /** Returns the bytes at an index of a buffer, as far as a message may show them. */
  static String hex(ByteBuffer in, int index, int length) {
    byte[] seen = new byte[Math.min(length, MOST_SHOWN + 1)];
    in.get(index, seen);
    return hex(seen, seen.length);
  }

  /** Returns whether the buffer holds these bytes at the index; its position is left alone. */
  static boolean at(ByteBuffer in, int index, byte[] expected) {
    for (int i = 0; i < expected.length; i++) {
      if (in.get(index + i) != expected[i]) {
        return false;
      }
    }
    return true;
  }
}
