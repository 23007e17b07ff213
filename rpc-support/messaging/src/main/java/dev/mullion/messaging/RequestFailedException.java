package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** The replier threw an exception, which has this text, or was lost before it answered. */
public final class RequestFailedException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public RequestFailedException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public RequestFailedException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** Returns true: the replier had the request. */
  @Override
  public boolean maybeAccepted() {
    return true;
  }
}
