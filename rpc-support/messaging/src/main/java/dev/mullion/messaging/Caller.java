package dev.mullion.messaging;

/** From where a send is made. */
enum Caller {
  /** From outside of handlers: refused as soon as a stop begins. */
  OUTSIDE,
  /** From a blocking handler: may wait for room, and goes on during a stop. */
  HANDLER,
  /** From an asynchronous handler: never waits, and goes on during a stop. */
  ASYNC_HANDLER;

  /** Returns where the current thread is. */
  static Caller current() {
    HandlerRunner<?> runner = HandlerRunner.current();
    if (runner == null || runner.call() == null) {
      return OUTSIDE;
    }
    return runner.isAsync() ? ASYNC_HANDLER : HANDLER;
  }
}
