package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingException;

/**
 * The server or its engine failed in a way that has no class of its own; the text is the server's.
 */
public final class ServerFailedException extends MessagingException {
  private static final long serialVersionUID = 1L;

  private final boolean maybeAccepted;

  /**
   * Creates the exception.
   *
   * @param maybeAccepted whether the message may have been accepted
   */
  public ServerFailedException(String message, boolean maybeAccepted) {
    super(message, null);
    this.maybeAccepted = maybeAccepted;
  }

  @Override
  public boolean maybeAccepted() {
    return maybeAccepted;
  }
}
