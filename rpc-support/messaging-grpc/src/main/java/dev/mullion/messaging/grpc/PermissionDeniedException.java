package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingException;

/** The server's {@link Permissions} do not allow what was asked; the text has verb and address. */
public final class PermissionDeniedException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public PermissionDeniedException(String message) {
    super(message, null);
  }
}
