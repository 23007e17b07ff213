package dev.mullion.messaging;

import dev.mullion.messaging.MessagingClock.Timer;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

/** Waits by the clock of the engine, so that a manual one decides. */
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
      over.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      timer.cancel();
    }
    return future.isDone();
  }
}
