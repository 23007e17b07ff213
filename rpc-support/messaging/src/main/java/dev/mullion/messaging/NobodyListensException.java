package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** The engine knows that nobody replies to this subject. */
public final class NobodyListensException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public NobodyListensException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public NobodyListensException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
