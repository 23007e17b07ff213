package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for conditions, with a deadline. */
final class Waiting {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private Waiting() {}

  static void until(BooleanSupplier condition) {
    long start = System.nanoTime();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - start > PATIENCE.toNanos()) {
        throw new AssertionError("the condition did not hold within " + PATIENCE);
      }
      LockSupport.parkNanos(100_000);
    }
  }

  /** Waits until a thread waits, which is the only sign that it is inside of a blocking call. */
  static void untilBlocked(Thread thread) {
    until(() -> thread.getState() == Thread.State.WAITING
        || thread.getState() == Thread.State.TIMED_WAITING);
  }
}
