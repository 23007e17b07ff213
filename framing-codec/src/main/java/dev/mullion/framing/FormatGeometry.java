package dev.mullion.framing;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The numbers that follow from a format's settings, computed and checked once. All classes that
 * read or write bytes use them.
 */
final class FormatGeometry {
  /** The longest frame including header and trailer: the longest array on every JVM. */
  private static final int MAX_WIRE_LENGTH = Integer.MAX_VALUE - 8;

  private static final int MAX_WIDTH = 64;

  final LengthEncoding encoding;
  final byte[] before;
  final byte[] after;
  final byte[] trailer;
  final int offset;

  /** The width of the length field, or 0 if it varies. */
  final int width;

  /** The number of header bytes after the length field, constant or stripped. */
  final int afterLength;

  /** The header's length, or 0 if it varies. */
  final int headerLength;

  final int maxHeaderLength;

  final int lengthAdjustment;

  /** The number of bytes not delivered, or -1 for a header of variable length. */
  final int strip;

  final int maxFrameLength;

  /** The length field's value for an empty payload; it may be negative. */
  final long lengthOfEmpty;

  final @Nullable String whyNotEncodable;

  private FormatGeometry(FrameFormat.Builder s) {
    before = s.beforeLength;
    after = s.afterLength;
    trailer = s.trailer;
    lengthAdjustment = s.lengthAdjustment;
    encoding = encoding(s);
    width = encoding.minWidth() == encoding.maxWidth() ? encoding.minWidth() : 0;
    offset = offset(s);
    strip = strip(s);
    int lengthEnd = offset + width;
    afterLength = width == 0 ? after.length : Math.max(after.length, strip - lengthEnd);
    headerLength = width == 0 ? 0 : lengthEnd + afterLength;
    maxHeaderLength = offset + encoding.maxWidth() + afterLength;
    checkSmallestFrame(lengthEnd);
    checkHeader("initialBytesToStrip", strip, (long) maxHeaderLength + trailer.length);
    lengthOfEmpty = (long) afterLength + trailer.length - lengthAdjustment;
    maxFrameLength = maxFrameLength(s);
    whyNotEncodable = whyNotEncodable(lengthEnd);
  }

  static FormatGeometry of(FrameFormat.Builder settings) {
    return new FormatGeometry(settings);
  }

  boolean isBinary() {
    return encoding instanceof BinaryLength;
  }

  boolean hasConstants() {
    return before.length + after.length + trailer.length > 0;
  }

  boolean sameAs(FormatGeometry that) {
    return encoding.equals(that.encoding)
        && offset == that.offset
        && lengthAdjustment == that.lengthAdjustment
        && strip == that.strip
        && maxFrameLength == that.maxFrameLength
        && Arrays.equals(before, that.before)
        && Arrays.equals(after, that.after)
        && Arrays.equals(trailer, that.trailer);
  }

  int hash() {
    return Objects.hash(encoding, offset, strip, maxFrameLength);
  }

  private static LengthEncoding encoding(FrameFormat.Builder s) {
    LengthEncoding other = s.lengthEncoding;
    if (other == null) {
      int width = s.lengthFieldLength == null ? 4 : s.lengthFieldLength;
      return new BinaryLength(width, s.byteOrder);
    }
    if (s.lengthFieldLength != null) {
      throw new IllegalStateException("lengthFieldLength: "
          + s.lengthFieldLength
          + " contradicts lengthEncoding: "
          + other
          + " (expected: one of the two)");
    }
    if (s.byteOrder != java.nio.ByteOrder.BIG_ENDIAN) {
      throw new IllegalStateException(
          "byteOrder: " + s.byteOrder + " has no meaning for lengthEncoding: " + other);
    }
    if (other.maxValue() < 1) {
      throw new IllegalStateException(
          "lengthEncoding: " + other + " has maxValue " + other.maxValue() + " (expected: > 0)");
    }
    int min = other.minWidth();
    int max = other.maxWidth();
    if (min < 1 || max < min || max > MAX_WIDTH) {
      throw new IllegalStateException("lengthEncoding: "
          + other
          + " has widths "
          + min
          + " to "
          + max
          + " (expected: within 1 to "
          + MAX_WIDTH
          + ")");
    }
    return other;
  }

  private int offset(FrameFormat.Builder s) {
    int chosen = s.lengthFieldOffset == null ? before.length : s.lengthFieldOffset;
    if (before.length > chosen) {
      throw new IllegalStateException("beforeLength: "
          + before.length
          + " bytes do not fit lengthFieldOffset: "
          + chosen
          + " (expected: <= "
          + chosen
          + ")");
    }
    long header = (long) chosen + encoding.maxWidth() + after.length + trailer.length;
    checkHeader("lengthFieldOffset", chosen, header);
    return chosen;
  }

  private static void checkHeader(String name, int value, long headerAndTrailer) {
    if (headerAndTrailer >= MAX_WIRE_LENGTH) {
      throw new IllegalStateException(name
          + ": "
          + value
          + " makes a header and trailer of "
          + headerAndTrailer
          + " bytes (expected: < "
          + MAX_WIRE_LENGTH
          + ")");
    }
  }

  private int strip(FrameFormat.Builder s) {
    Integer chosen = s.initialBytesToStrip;
    if (width > 0) {
      return chosen == null ? offset + width + after.length : chosen;
    }
    if (chosen == null) {
      return -1;
    }
    if (chosen > offset) {
      throw new IllegalStateException("initialBytesToStrip: "
          + chosen
          + " reaches into a length of variable width, "
          + encoding
          + " (expected: <= lengthFieldOffset: "
          + offset
          + ", or unset to strip the header)");
    }
    return chosen;
  }

  /** The smallest frame that the settings allow must contain all stripped bytes. */
  private void checkSmallestFrame(int lengthEnd) {
    long body = Math.max(lengthAdjustment, after.length + trailer.length);
    long smallest = lengthEnd + Math.max(body, 0);
    long needed = (long) strip + (strip > lengthEnd ? trailer.length : 0);
    if (width > 0 && needed > smallest) {
      throw new IllegalStateException("initialBytesToStrip: "
          + strip
          + " is longer than the smallest frame (expected: <= "
          + (smallest - (needed - strip))
          + ", from lengthFieldOffset: "
          + offset
          + ", lengthFieldLength: "
          + width
          + ", lengthAdjustment: "
          + lengthAdjustment
          + ")");
    }
  }

  private int maxFrameLength(FrameFormat.Builder s) {
    // The longest payload that the length field can express, and the longest that Java can hold.
    // Half of Long.MAX_VALUE is beyond any frame, and subtracting from it cannot overflow.
    long fits = Math.min(encoding.maxValue(), Long.MAX_VALUE / 2) - lengthOfEmpty;
    if (lengthOfEmpty > 0 && encoding.maxValue() <= lengthOfEmpty) {
      throw new IllegalStateException("lengthAdjustment: "
          + lengthAdjustment
          + " leaves no room for a payload in "
          + lengthField()
          + " (expected: >= "
          + (lengthAdjustment + lengthOfEmpty - encoding.maxValue() + 1)
          + ")");
    }
    long holds = (long) MAX_WIRE_LENGTH - maxHeaderLength - trailer.length;
    int most = (int) Math.min(fits, holds);
    Integer asked = s.maxFrameLength;
    int limit = asked == null ? Math.min(FrameFormat.DEFAULT_MAX_FRAME_LENGTH, most) : asked;
    if (limit > most) {
      String why =
          holds < fits ? " does not fit in a Java array" : " does not fit " + lengthField();
      throw new IllegalStateException(
          "maxFrameLength: " + limit + why + " (expected: <= " + most + ")");
    }
    if (-lengthOfEmpty > limit) {
      throw new IllegalStateException("lengthAdjustment: "
          + lengthAdjustment
          + " makes the smallest payload "
          + -lengthOfEmpty
          + " bytes, which exceeds maxFrameLength: "
          + limit);
    }
    return limit;
  }

  private String lengthField() {
    String field = isBinary() ? "lengthFieldLength: " + width : "lengthEncoding: " + encoding;
    return lengthAdjustment == 0 ? field : field + " with lengthAdjustment: " + lengthAdjustment;
  }

  private @Nullable String whyNotEncodable(int lengthEnd) {
    int unknownBefore = Math.min(strip < 0 ? offset : strip, offset);
    if (unknownBefore > before.length) {
      return stripped(before.length, unknownBefore, "beforeLength");
    }
    if (width > 0 && strip - lengthEnd > after.length) {
      return stripped(lengthEnd + after.length, strip, "afterLength");
    }
    return null;
  }

  private static String stripped(int from, int to, String setting) {
    return "frame bytes "
        + from
        + " to "
        + (to - 1)
        + " are stripped by initialBytesToStrip, and no "
        + setting
        + " constant defines them";
  }
}
