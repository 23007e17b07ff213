package dev.mullion.framing;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Bytes as text that looks like a diagram. */
final class Wire {
  private static final Pattern PART = Pattern.compile("'([^']*)'|([0-9A-F]+)|[| ]");
  private static final HexFormat HEX = HexFormat.of().withUpperCase();

  private Wire() {}

  /** Returns the bytes of hex digits and quoted ASCII: {@code | 000C | 'HELLO, WORLD' |}. */
  static byte[] bytes(String drawn) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Matcher part = PART.matcher(drawn);
    int end = 0;
    while (part.lookingAt()) {
      if (part.group(1) != null) {
        bytes.writeBytes(part.group(1).getBytes(StandardCharsets.US_ASCII));
      } else if (part.group(2) != null) {
        bytes.writeBytes(HEX.parseHex(part.group(2)));
      }
      end = part.end();
      part.region(end, drawn.length());
    }
    if (end != drawn.length()) {
      throw new IllegalArgumentException("not a drawing of bytes: " + drawn.substring(end));
    }
    return bytes.toByteArray();
  }

  /** Returns the hex digits of what is drawn, as {@link Decoding} gives a frame. */
  static String hex(String drawn) {
    return hex(bytes(drawn));
  }

  static String hex(byte[] bytes) {
    return HEX.formatHex(bytes);
  }

  static List<String> hex(List<byte[]> frames) {
    return frames.stream().map(Wire::hex).toList();
  }

  static byte[] join(byte[]... parts) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    Stream.of(parts).forEach(bytes::writeBytes);
    return bytes.toByteArray();
  }
}
