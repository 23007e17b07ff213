package dev.mullion.messaging;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A failure between sender and receiver, told apart by its subclasses; engines may add their own.
 */
public abstract class MessagingException extends IOException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  protected MessagingException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /**
   * Returns whether the engine may have accepted the message all the same: then sending it again
   * can duplicate it.
   */
  public boolean maybeAccepted() {
    return false;
  }
}
