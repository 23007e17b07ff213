package dev.mullion.framing;

import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * A payload that the peer announced, or that was given to an encoder, is longer than {@link
 * FrameFormat#maxFrameLength()}. The exception is thrown before anything is allocated for the
 * frame.
 */
public final class FrameTooLargeException extends FramingException {
  private static final long serialVersionUID = 1;

  private final long frameLength;
  private final int maxFrameLength;

  FrameTooLargeException(
      long frameLength, int maxFrameLength, @Nullable SocketAddress peer, long frameNumber) {
    super(
        "frame length "
            + Long.toUnsignedString(frameLength)
            + " exceeds maxFrameLength "
            + maxFrameLength,
        peer,
        frameNumber);
    this.frameLength = frameLength;
    this.maxFrameLength = maxFrameLength;
  }

  /** Returns the payload's length in bytes, as an unsigned number. */
  public long frameLength() {
    return frameLength;
  }

  /** Returns the limit in bytes. */
  public int maxFrameLength() {
    return maxFrameLength;
  }
}
