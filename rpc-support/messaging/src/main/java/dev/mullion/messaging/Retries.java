package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;

/** Tries again what has failed, after a moment; however often it failed meanwhile, once. */
final class Retries {
  static final Duration DELAY = Duration.ofMillis(100);

  private final MessagingClock clock;
  private final Executor callbacks;
  private final Runnable attempt;
  private final String where;
  private final AtomicBoolean waiting = new AtomicBoolean();

  Retries(MessagingClock clock, Executor callbacks, Runnable attempt, String where) {
    this.clock = clock;
    this.callbacks = callbacks;
    this.attempt = attempt;
    this.where = where;
  }

  /** Asks for the next attempt. */
  void next() {
    if (waiting.compareAndSet(false, true)) {
      later();
    }
  }

  private void later() {
    try {
      clock.schedule(DELAY, this::run);
    } catch (Throwable e) { // no timer: the next failure, or message, tries again
      waiting.set(false);
      LimitedLog.warn("retry", "no timer for the next attempt (" + where + ")", e);
    }
  }

  private void run() {
    try {
      callbacks.execute(() -> {
        waiting.set(false);
        attempt.run();
      });
    } catch (Throwable e) { // no thread, such as for lack of memory
      LimitedLog.warn("retry", "no thread for the next attempt (" + where + ")", e);
      later();
    }
  }
}
