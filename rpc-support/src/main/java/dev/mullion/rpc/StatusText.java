package dev.mullion.rpc;

import io.grpc.Status;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Truncates the description of a status that would be too long for a header. gRPC's clients accept
 * 8 KiB of metadata by default; beyond that they see an HTTP/2 error instead of the status.
 */
final class StatusText {
  /**
   * The maximum length on the wire, where each UTF-8 byte takes three bytes unless it is printable
   * ASCII.
   */
  static final int MAX = 4096;

  private static final int MOST_OF_A_CHAR = 9;

  private StatusText() {}

  /** Returns the status with a description of at most {@code max} encoded bytes. */
  static Status bounded(Status status, int max) {
    String text = status.getDescription();
    if (text == null || text.length() <= max / MOST_OF_A_CHAR) {
      return status;
    }
    int end = end(text, max);
    if (end == text.length()) {
      return status;
    }
    String note = "... (truncated from " + text.length() + " characters)";
    return status.withDescription(text.substring(0, end(text, max - note.length())) + note);
  }

  static long encodedLength(@Nullable String text) {
    return text == null
        ? 0
        : text.codePoints().mapToLong(StatusText::encodedLength).sum();
  }

  /** Returns how many characters of a text fit into {@code max} encoded bytes. */
  private static int end(String text, int max) {
    int taken = 0;
    int end = 0;
    while (end < text.length()) {
      int point = text.codePointAt(end);
      taken += encodedLength(point);
      if (taken > max) {
        break;
      }
      end += Character.charCount(point);
    }
    return end;
  }

  /** The encoding of {@code grpc-message} in the specification of gRPC over HTTP/2. */
  private static int encodedLength(int point) {
    boolean asItIs = point >= ' ' && point <= '~' && point != '%';
    return asItIs ? 1 : 3 * Character.toString(point).getBytes(StandardCharsets.UTF_8).length;
  }
}
