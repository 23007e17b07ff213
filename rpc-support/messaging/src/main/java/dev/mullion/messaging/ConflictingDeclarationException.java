package dev.mullion.messaging;

/** An address is declared with other settings; the message has both values. */
public final class ConflictingDeclarationException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public ConflictingDeclarationException(String message) {
    super(message, null);
  }
}
