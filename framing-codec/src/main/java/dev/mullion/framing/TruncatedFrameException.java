package dev.mullion.framing;

import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * The stream ended inside a frame. A stream that ends between two frames ends cleanly, without an
 * error.
 */
public final class TruncatedFrameException extends FramingException {
  private static final long serialVersionUID = 1;

  private final long received;
  private final long expected;

  private TruncatedFrameException(
      String detail, long received, long expected, @Nullable SocketAddress peer, long frameNumber) {
    super(detail, peer, frameNumber);
    this.received = received;
    this.expected = expected;
  }

  static TruncatedFrameException inHeader(
      long received, int expected, @Nullable SocketAddress peer, long frameNumber) {
    String of = expected < 0 ? "" : " of " + expected;
    String detail = "stream ended inside a frame: " + received + of + " header bytes";
    return new TruncatedFrameException(detail, received, expected, peer, frameNumber);
  }

  static TruncatedFrameException inPayload(
      long received, long expected, @Nullable SocketAddress peer, long frameNumber) {
    String detail = "stream ended inside a frame: "
        + received
        + " of "
        + Long.toUnsignedString(expected)
        + " payload bytes";
    return new TruncatedFrameException(detail, received, expected, peer, frameNumber);
  }

  static TruncatedFrameException inTrailer(
      long received, long expected, @Nullable SocketAddress peer, long frameNumber) {
    String detail =
        "stream ended inside a frame: " + received + " of " + expected + " trailer bytes";
    return new TruncatedFrameException(detail, received, expected, peer, frameNumber);
  }

  /** Returns the number of received bytes of the part named in the message. */
  public long received() {
    return received;
  }

  /**
   * Returns the expected number of bytes of that part, or -1 if its length is not fixed. For a
   * skipped payload it is an unsigned number.
   */
  public long expected() {
    return expected;
  }
}
