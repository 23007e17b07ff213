package dev.mullion.framing;

import java.io.IOException;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a stream, or a frame to be sent, violate the {@link FrameFormat}.
 *
 * <p>Its kinds are {@link FrameTooLargeException}, {@link CorruptFrameException} and {@link
 * TruncatedFrameException}. The message contains the peer's address, if there is one, and the
 * number of the frame in its stream, counted from 1. It ends with a likely cause if there is one,
 * for example that the peer uses TLS.
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

  /** Returns the address of the peer, or {@code null} for a stream without one. */
  public final @Nullable SocketAddress peer() {
    return peer;
  }

  /** Returns the number of the frame in the stream, counted from 1, or 0 if it is unknown. */
  public final long frameNumber() {
    return frameNumber;
  }

  /** Returns the actual and the expected value, the peer and frame number, and a likely cause. */
  @Override
  public final String getMessage() {
    return super.getMessage() + hint;
  }

  /** Sets the likely cause. */
  final void hint(String likely) {
    hint = likely;
  }

  final String detail() {
    return detail;
  }

  /** Returns the error of a frame to be sent, with the address of its receiver. */
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
