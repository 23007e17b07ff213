package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** A bounded queue or the limit of pending sends has no room. */
public final class QueueFullException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public QueueFullException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public QueueFullException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
