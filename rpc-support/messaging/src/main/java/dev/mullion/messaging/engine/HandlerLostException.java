package dev.mullion.messaging.engine;

/**
 * Completes the stage of an asynchronous handler that passed its message to another process, which
 * is gone. The message is given back at once. For servers that stand between an engine and remote
 * workers.
 */
public final class HandlerLostException extends Exception {
  private static final long serialVersionUID = 1L;

  private final boolean begun;

  /**
   * Creates the exception.
   *
   * @param begun whether the worker may have begun: then the delivery counts
   */
  public HandlerLostException(String message, boolean begun) {
    super(message);
    this.begun = begun;
  }

  /** Returns whether the worker may have begun. */
  public boolean begun() {
    return begun;
  }
}
