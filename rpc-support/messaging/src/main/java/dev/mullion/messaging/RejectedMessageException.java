package dev.mullion.messaging;

/** Thrown by a handler: this message can never be handled. It becomes a dead letter at once. */
public final class RejectedMessageException extends Exception {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public RejectedMessageException(String reason) {
    super(reason);
  }
}
