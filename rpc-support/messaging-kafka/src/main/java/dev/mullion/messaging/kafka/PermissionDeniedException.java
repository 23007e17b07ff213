package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import org.jspecify.annotations.Nullable;

/** The broker's access rules do not allow it; the README lists the permissions that are needed. */
public final class PermissionDeniedException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public PermissionDeniedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
