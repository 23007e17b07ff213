package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/** The engine cannot do what an address or subscription asks; the text has the reason. */
public final class UnsupportedSettingException extends MessagingException {
  private static final long serialVersionUID = 1L;

  /** Creates the exception. */
  public UnsupportedSettingException(String message) {
    super(message, null);
  }

  /** Creates the exception with its cause. */
  public UnsupportedSettingException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
