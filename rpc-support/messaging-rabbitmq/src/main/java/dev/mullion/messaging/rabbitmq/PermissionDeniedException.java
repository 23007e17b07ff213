package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.MessagingException;
import org.jspecify.annotations.Nullable;

/** The broker's user lacks a permission; the text has the broker's words and what is needed. */
public final class PermissionDeniedException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public PermissionDeniedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
