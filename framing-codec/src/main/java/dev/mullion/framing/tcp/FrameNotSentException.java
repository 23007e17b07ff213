package dev.mullion.framing.tcp;

import java.io.IOException;

/**
 * A frame was refused: no byte of it has been sent and none will be, so it may safely be sent
 * again, here or elsewhere. The message says why and which setting changes it.
 */
public final class FrameNotSentException extends IOException {
  private static final long serialVersionUID = 1;

  FrameNotSentException(String message) {
    super(message);
  }

  FrameNotSentException(String message, Throwable cause) {
    super(message, cause);
  }
}
