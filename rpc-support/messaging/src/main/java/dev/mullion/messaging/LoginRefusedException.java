package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** The broker rejects these credentials, or the TLS handshake with it fails. */
public final class LoginRefusedException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public LoginRefusedException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public LoginRefusedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
