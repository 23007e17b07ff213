package dev.mullion.messaging;

import dev.mullion.messaging.MessagingClock.Timer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Waits by the clock of the engine, and by real time where that is over first. */
final class ClockWait {
  private ClockWait() {}

  /**
   * Waits until a future is complete, for at most the timeout. An interrupt ends the wait too, and
   * keeps the thread's flag.
   *
   * @return whether the future is complete
   */
  static boolean await(CompletableFuture<?> future, MessagingClock clock, Duration timeout) {
    if (future.isDone() || timeout.isNegative() || timeout.isZero()) {
      return future.isDone();
    }
    CountDownLatch over = new CountDownLatch(1);
    future.whenComplete((result, error) -> over.countDown());
    Timer timer = clock.schedule(timeout, over::countDown);
    try {
      over.await(TimeUnit.NANOSECONDS.convert(timeout), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      timer.cancel();
    }
    return future.isDone();
  }
}
