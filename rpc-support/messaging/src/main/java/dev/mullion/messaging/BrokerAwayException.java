package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** The broker or server does not answer, or the connection to it was lost. */
public final class BrokerAwayException extends MessagingException {
  private static final long serialVersionUID = 1L;

  private final boolean maybeAccepted;

  /**
   * Creates the exception.
   *
   * @param maybeAccepted whether the message may have arrived
   */
  public BrokerAwayException(String message, @Nullable Throwable cause, boolean maybeAccepted) {
    super(message, cause);
    this.maybeAccepted = maybeAccepted;
  }

  @Override
  public boolean maybeAccepted() {
    return maybeAccepted;
  }
}
