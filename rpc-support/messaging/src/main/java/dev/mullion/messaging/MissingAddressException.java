package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** A topic or queue that must exist does not. */
public final class MissingAddressException extends MessagingException {
  private static final long serialVersionUID = 1L;

  private final boolean maybeAccepted;

  /** Creates the exception. */
  public MissingAddressException(String message) {
    this(message, null);
  }

  /** Creates the exception with its cause. */
  public MissingAddressException(String message, @Nullable Throwable cause) {
    this(message, cause, false);
  }

  /**
   * Creates the exception with its cause.
   *
   * @param maybeAccepted whether the message may have arrived before the address was gone
   */
  public MissingAddressException(String message, @Nullable Throwable cause, boolean maybeAccepted) {
    super(message, cause);
    this.maybeAccepted = maybeAccepted;
  }

  @Override
  public boolean maybeAccepted() {
    return maybeAccepted;
  }
}
