package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import org.jspecify.annotations.Nullable;

/** The broker answered with an error that has no exception of its own; its text is the reason. */
public final class KafkaFailedException extends MessagingException {
  private static final long serialVersionUID = 1L;

  private final boolean maybeAccepted;

  /**
   * Creates the exception.
   *
   * @param maybeAccepted whether the broker may have accepted the message all the same
   */
  public KafkaFailedException(String message, @Nullable Throwable cause, boolean maybeAccepted) {
    super(message, cause);
    this.maybeAccepted = maybeAccepted;
  }

  @Override
  public boolean maybeAccepted() {
    return maybeAccepted;
  }
}
