package dev.mullion.framing;

import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * The bytes violate the format: an impossible length, a missing constant, or a frame given to an
 * encoder whose kept header bytes are missing or wrong. A stream that is being decoded is then out
 * of sync, and no later byte of it can be trusted.
 */
public final class CorruptFrameException extends FramingException {
  private static final long serialVersionUID = 1;

  /**
   * Creates the error that a {@link LengthEncoding} throws; the codec adds the peer and the frame
   * number.
   *
   * @param detail the actual and the expected value, with at most 32 of the peer's bytes
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
