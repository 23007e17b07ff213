package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** A codec cannot decode a payload. */
public final class UndecodableMessageException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public UndecodableMessageException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public UndecodableMessageException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
