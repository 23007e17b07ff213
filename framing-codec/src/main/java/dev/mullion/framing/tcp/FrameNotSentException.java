package dev.mullion.framing.tcp;

import java.io.IOException;

/**
 * A frame was rejected: no byte of it was or will be sent. It may safely be sent again, here or
 * elsewhere. The message names the reason and the setting that changes it.
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
