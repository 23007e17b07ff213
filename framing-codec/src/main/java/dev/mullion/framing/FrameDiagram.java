package dev.mullion.framing;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Draws a frame on the wire and as delivered, side by side. */
final class FrameDiagram {
  private static final String ARROW = " ---> ";
  private static final String GAP = "      ";

  /** A box with its name, its content on the wire, and its delivered content. */
  private record Box(String name, String wire, String decoded) {}

  private final FormatGeometry geometry;

  FrameDiagram(FrameFormat format) {
    geometry = format.geometry();
  }

  String draw(String payload) {
    List<Box> boxes = boxes(payload);
    List<String> wire =
        rows(boxes.stream().map(b -> List.of(b.name(), b.wire())).toList());
    List<String> decoded = rows(boxes.stream()
        .filter(b -> !b.decoded().isEmpty())
        .map(b -> List.of(b.name(), b.decoded()))
        .toList());
    String title = centred("ON THE WIRE", wire.get(0).length()) + GAP;
    StringBuilder text = new StringBuilder(title);
    text.append(centred("DECODED", decoded.get(0).length()).stripTrailing()).append('\n');
    for (int row = 0; row < wire.size(); row++) {
      String between = row == 2 ? ARROW : GAP;
      text.append(wire.get(row)).append(between).append(decoded.get(row)).append('\n');
    }
    return text.toString();
  }

  private List<Box> boxes(String payload) {
    byte[] length = length(payload.length());
    int lengthEnd = geometry.offset + length.length;
    int header = lengthEnd + geometry.afterLength;
    List<Box> boxes = new ArrayList<>();
    add(boxes, "before length", 0, geometry.before, geometry.offset, header);
    add(boxes, "length", geometry.offset, length, length.length, header);
    add(boxes, "after length", lengthEnd, geometry.after, geometry.afterLength, header);
    String quoted = '"' + payload + '"';
    boxes.add(new Box("payload", quoted, quoted));
    if (geometry.trailer.length > 0) {
      boxes.add(new Box("trailer", shown(geometry.trailer), ""));
    }
    return boxes;
  }

  /** Adds the box of a part of the header: its known bytes, and {@code ??} for each other byte. */
  private void add(List<Box> boxes, String name, int start, byte[] known, int length, int header) {
    if (length == 0) {
      return;
    }
    int strip = geometry.strip < 0 ? header : geometry.strip;
    int kept = Math.max(0, Math.min(length, start + length - strip));
    String all = text(known, length, 0);
    boxes.add(new Box(name, all, kept == 0 ? "" : text(known, length, length - kept)));
  }

  /** Draws a frame with the payload {@code HELLO, WORLD}, cut to the maximum length. */
  static String of(FrameFormat format) {
    String payload = "HELLO, WORLD";
    int length = Math.min(payload.length(), format.maxFrameLength());
    return new FrameDiagram(format).draw(payload.substring(0, length));
  }

  /** Lists the settings of a format, except those that are not set. */
  static String settings(FrameFormat format) {
    FormatGeometry geometry = format.geometry();
    StringBuilder text = new StringBuilder("FrameFormat[");
    text.append("lengthFieldOffset=").append(geometry.offset);
    if (geometry.encoding instanceof BinaryLength binary) {
      text.append(", lengthFieldLength=").append(binary.width());
      text.append(", byteOrder=").append(binary.order());
    } else {
      text.append(", lengthEncoding=").append(geometry.encoding);
    }
    text.append(", lengthAdjustment=").append(format.lengthAdjustment());
    text.append(", initialBytesToStrip=");
    text.append(geometry.strip < 0 ? "header" : String.valueOf(geometry.strip));
    text.append(", maxFrameLength=").append(geometry.maxFrameLength);
    appendConstant(text, ", beforeLength=", geometry.before);
    appendConstant(text, ", afterLength=", geometry.after);
    appendConstant(text, ", trailer=", geometry.trailer);
    return text.append(']').toString();
  }

  private static void appendConstant(StringBuilder text, String name, byte[] constant) {
    if (constant.length > 0) {
      text.append(name).append(Bytes.hex(constant));
    }
  }

  private static String text(byte[] known, int length, int from) {
    byte[] part = new byte[Math.max(0, known.length - from)];
    System.arraycopy(known, Math.min(from, known.length), part, 0, part.length);
    String unknown = "??".repeat(length - Math.max(from, known.length));
    if (part.length == 0) {
      return "0x" + unknown;
    }
    return unknown.isEmpty() ? shown(part) : Bytes.hex(part) + unknown;
  }

  private byte[] length(int payload) {
    ByteBuffer out = ByteBuffer.allocate(geometry.encoding.maxWidth());
    try {
      geometry.encoding.write(Math.max(0, payload + geometry.lengthOfEmpty), out);
    } catch (CorruptFrameException e) {
      throw new IllegalStateException("no length for a payload of " + payload + " bytes", e);
    }
    byte[] written = new byte[out.position()];
    out.flip().get(written);
    return written;
  }

  /** Printable bytes as text, others as hex. */
  private static String shown(byte[] bytes) {
    boolean printable = true;
    for (byte b : bytes) {
      printable &= b > ' ' - 1 && b < 0x7F;
    }
    return printable ? '"' + new String(bytes, StandardCharsets.US_ASCII) + '"' : Bytes.hex(bytes);
  }

  private static List<String> rows(List<List<String>> columns) {
    StringBuilder border = new StringBuilder("+");
    StringBuilder names = new StringBuilder("|");
    StringBuilder values = new StringBuilder("|");
    for (List<String> column : columns) {
      int width = Math.max(column.get(0).length(), column.get(1).length());
      border.append("-".repeat(width + 2)).append('+');
      names.append(' ').append(padded(column.get(0), width)).append(" |");
      values.append(' ').append(padded(column.get(1), width)).append(" |");
    }
    String line = border.toString();
    return List.of(line, names.toString(), values.toString(), line);
  }

  private static String padded(String text, int width) {
    return text + " ".repeat(width - text.length());
  }

  private static String centred(String text, int width) {
    int left = Math.max(0, (width - text.length()) / 2);
    return padded(" ".repeat(left) + text, Math.max(width, left + text.length()));
  }
}
