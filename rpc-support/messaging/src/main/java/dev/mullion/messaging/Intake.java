package dev.mullion.messaging;

import java.util.concurrent.Executor;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Who may still send and subscribe: all, then only handlers under way, then nobody. What continues
 * a send of a handler counts as that handler: an asynchronous one that sends, then asks, then sends
 * again does all of that, although only its beginning runs inside of its call.
 */
final class Intake {
  private static final ThreadLocal<@Nullable Continuation> CONTINUATION = new ThreadLocal<>();

  private final Executor callbacks;
  private final BooleanSupplier insideHandler;
  private volatile Phase phase = Phase.OPEN;

  private enum Phase {
    OPEN,
    HANDLERS_ONLY,
    CLOSED
  }

  /** The handler that a continuation belongs to. */
  private record Continuation(Intake owner, Caller caller) {}

  /**
   * The supplier tells whether the calling thread is inside of a handler of this {@code Messaging}.
   */
  Intake(Executor callbacks, BooleanSupplier insideHandler) {
    this.callbacks = callbacks;
    this.insideHandler = insideHandler;
  }

  static IllegalStateException closed() {
    return new IllegalStateException("messaging is closed");
  }

  /** Returns whether the calling thread continues a send of a handler. */
  static boolean isContinuation() {
    return CONTINUATION.get() != null;
  }

  /** Returns from where the calling thread sends. */
  Caller caller() {
    Continuation continued = CONTINUATION.get();
    if (continued == null && HandlerRunner.current() == null) {
      return Caller.OUTSIDE;
    }
    boolean async = AsyncScope.active();
    if (continued == null) {
      return Caller.of(insideHandler.getAsBoolean(), async);
    }
    return Caller.of(
        insideHandler.getAsBoolean() || (continued.owner == this && continued.caller.isInside()),
        async || !continued.caller.mayWait());
  }

  /** Checks a send. */
  Caller check() {
    Caller from = caller();
    Phase now = phase;
    if (now != Phase.OPEN && (now == Phase.CLOSED || !from.isInside())) {
      throw closed();
    }
    return from;
  }

  /** Checks what no handler needs during a stop: new subscriptions and declarations. */
  void checkOpen() {
    if (phase != Phase.OPEN) {
      throw closed();
    }
  }

  /** Returns where a send's future completes. */
  Executor continuations(Caller from) {
    if (from == Caller.OUTSIDE) {
      return callbacks;
    }
    Continuation continuation = new Continuation(this, from);
    return task -> callbacks.execute(() -> {
      CONTINUATION.set(continuation);
      try {
        task.run();
      } finally {
        CONTINUATION.remove();
      }
    });
  }

  void handlersOnly() {
    phase = Phase.HANDLERS_ONLY;
  }

  void close() {
    phase = Phase.CLOSED;
  }
}
