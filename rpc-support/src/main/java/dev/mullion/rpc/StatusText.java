package dev.mullion.rpc;

import io.grpc.Status;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Cuts the description of a status that would be too long for a header: gRPC's clients take 8 KiB
 * of metadata by default, and of more they see an error of HTTP/2 in place of the status.
 */
final class StatusText {
  /**
   * What it may take on the wire, where all but printable ASCII takes three bytes for each of
   * UTF-8.
   */
  static final int MAX = 4096;

  private static final int MOST_OF_A_CHAR = 9;

  private StatusText() {}

  /** Returns the status with a description of no more than so many bytes. */
  static Status bounded(Status status, int max) {
    String text = status.getDescription();
    if (text == null || text.length() <= max / MOST_OF_A_CHAR) {
      return status;
    }
    int end = end(text, max);
    if (end == text.length()) {
      return status;
    }
    String note = "... (cut, of " + text.length() + " characters)";
    return status.withDescription(text.substring(0, end(text, max - note.length())) + note);
  }

  static long encodedLength(@Nullable String text) {
    return text == null
        ? 0
        : text.codePoints().mapToLong(StatusText::encodedLength).sum();
  }

  /** Returns how many characters of a text take no more than so many bytes. */
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

  /** As the specification of gRPC over HTTP/2 encodes {@code grpc-message}. */
  private static int encodedLength(int point) {
    boolean asItIs = point >= ' ' && point <= '~' && point != '%';
    return asItIs ? 1 : 3 * Character.toString(point).getBytes(StandardCharsets.UTF_8).length;
  }
}
