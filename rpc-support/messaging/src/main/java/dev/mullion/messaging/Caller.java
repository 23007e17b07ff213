package dev.mullion.messaging;

/** From where a send is made. */
enum Caller {
  /** From outside of handlers: refused as soon as a stop begins. */
  OUTSIDE(false, true),
  /** From an asynchronous handler of another {@code Messaging}: never waits for room. */
  OTHER_ASYNC_HANDLER(false, false),
  /** From a blocking handler: goes on during a stop. */
  HANDLER(true, true),
  /** From an asynchronous handler: never waits for room, and goes on during a stop. */
  ASYNC_HANDLER(true, false);

  private final boolean inside;
  private final boolean mayWait;

  Caller(boolean inside, boolean mayWait) {
    this.inside = inside;
    this.mayWait = mayWait;
  }

  static Caller of(boolean inside, boolean async) {
    if (inside) {
      return async ? ASYNC_HANDLER : HANDLER;
    }
    return async ? OTHER_ASYNC_HANDLER : OUTSIDE;
  }

  /** Whether it is a handler of this {@code Messaging}, for which its stop waits. */
  boolean isInside() {
    return inside;
  }

  boolean mayWait() {
    return mayWait;
  }
}
