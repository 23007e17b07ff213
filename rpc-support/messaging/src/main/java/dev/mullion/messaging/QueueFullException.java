package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** A bounded queue or the limit of pending sends has no room. */
public final class QueueFullException extends MessagingException {
  private static final long serialVersionUID = 1L;

  private final boolean maybeAccepted;

  /** Creates the exception. */
  public QueueFullException(String message) {
    this(message, false);
  }

  /** Creates the exception with its cause. */
  public QueueFullException(String message, @Nullable Throwable cause) {
    super(message, cause);
    this.maybeAccepted = false;
  }

  /**
   * Creates the exception.
   *
   * @param maybeAccepted whether others have the message: subscribers of its topic with room
   */
  public QueueFullException(String message, boolean maybeAccepted) {
    super(message, null);
    this.maybeAccepted = maybeAccepted;
  }

  @Override
  public boolean maybeAccepted() {
    return maybeAccepted;
  }
}
