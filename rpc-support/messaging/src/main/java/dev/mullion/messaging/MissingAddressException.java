package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** A topic or queue that must exist does not. */
public final class MissingAddressException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public MissingAddressException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public MissingAddressException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
