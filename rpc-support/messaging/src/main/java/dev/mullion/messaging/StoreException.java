package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** A durable engine's directory cannot be used; the text has the file and the reason. */
public final class StoreException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public StoreException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public StoreException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
