package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** A message exceeds a size limit; the message text has both sizes and the setting. */
public final class MessageTooLargeException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public MessageTooLargeException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public MessageTooLargeException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
