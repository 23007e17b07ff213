package dev.mullion.framing;

import java.io.IOException;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a stream, or a frame to be sent, do not follow the {@link FrameFormat}.
 *
 * <p>Its kinds are {@link FrameTooLargeException}, {@link CorruptFrameException} and {@link
 * TruncatedFrameException}. The message ends with the place: the peer's address where there is one,
 * and the ordinal of the frame on its stream, counted from 1. Behind it stands what is likely
 * wrong, if that can be told: for instance that the peer speaks TLS.
 */
public abstract sealed class FramingException extends IOException
    permits FrameTooLargeException, CorruptFrameException, TruncatedFrameException {
  private static final long serialVersionUID = 1;

  private final String detail;
  private final transient @Nullable SocketAddress peer;
  private final long frameNumber;
  private String hint = "";

  FramingException(String detail, @Nullable SocketAddress peer, long frameNumber) {
    super(detail + place(peer, frameNumber));
    this.detail = detail;
    this.peer = peer;
    this.frameNumber = frameNumber;
  }

  /** Returns the address of the other end, or {@code null} for a stream that has none. */
  public final @Nullable SocketAddress peer() {
    return peer;
  }

  /** Returns which frame of the stream it was, counted from 1, or 0 if that is not known. */
  public final long frameNumber() {
    return frameNumber;
  }

  /** Returns what was seen and what is allowed, the place, and what is likely wrong. */
  @Override
  public final String getMessage() {
    return super.getMessage() + hint;
  }

  /** Sets what is likely wrong. */
  final void hint(String likely) {
    hint = likely;
  }

  final String detail() {
    return detail;
  }

  /** Returns the error of a frame that was to be sent, with the address it was for. */
  final FramingException sentTo(@Nullable SocketAddress to) {
    if (to == null || peer != null) {
      return this;
    }
    FramingException placed = this instanceof FrameTooLargeException tooLarge
        ? new FrameTooLargeException(tooLarge.frameLength(), tooLarge.maxFrameLength(), to, 0)
        : new CorruptFrameException(detail, to, 0);
    placed.setStackTrace(getStackTrace());
    return placed;
  }

  private static String place(@Nullable SocketAddress peer, long frameNumber) {
    if (peer == null) {
      return frameNumber == 0 ? "" : " (frame " + frameNumber + ")";
    }
    return " (peer " + peer + (frameNumber == 0 ? ")" : ", frame " + frameNumber + ")");
  }
}
