package dev.mullion.messaging;

/** Tells whether the calling thread is inside the call of an asynchronous handler. */
final class AsyncScope {
  private AsyncScope() {}

  /** Returns whether it is: then a send must not wait for room. */
  static boolean active() {
    HandlerRunner<?> runner = HandlerRunner.current();
    return runner != null && runner.isAsync();
  }
}
