package dev.mullion.messaging;

/** Whether the current thread is inside an asynchronous handler. */
final class AsyncScope {
  private AsyncScope() {}

  static boolean active() {
    return false;
  }
}
