package dev.mullion.framing;

import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * Bytes that the format does not allow: a length that cannot be, a constant that is not there, or a
 * frame given to an encoder that does not have the parts its format keeps. After it a stream that
 * is being decoded is out of step, and no later byte of it can be trusted.
 */
public final class CorruptFrameException extends FramingException {
  private static final long serialVersionUID = 1;

  /**
   * Creates the error that a {@link LengthEncoding} throws; the codec adds the place to it.
   *
   * @param detail what was seen and what is allowed; never more than 32 of the peer's bytes
   */
  public CorruptFrameException(String detail) {
    this(detail, null, 0);
  }

  CorruptFrameException(String detail, @Nullable SocketAddress peer, long frameNumber) {
    super(detail, peer, frameNumber);
  }

  CorruptFrameException at(@Nullable SocketAddress where, long number) {
    CorruptFrameException placed = new CorruptFrameException(detail(), where, number);
    placed.setStackTrace(getStackTrace());
    if (getCause() != null) {
      placed.initCause(getCause());
    }
    return placed;
  }
}
