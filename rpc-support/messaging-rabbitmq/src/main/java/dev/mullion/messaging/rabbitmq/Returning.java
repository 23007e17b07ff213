package dev.mullion.messaging.rabbitmq;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/** What a source is giving back to its queue. */
final class Returning {
  private final AtomicInteger open = new AtomicInteger();

  /** Gives one back; the stage completes when the broker has it. */
  CompletableFuture<?> giveBack(Fetched delivery) {
    open.incrementAndGet();
    return delivery
        .giveBack()
        .toCompletableFuture()
        .whenComplete((done, error) -> open.decrementAndGet());
  }

  /** Waits until nothing is on its way back, within a bound. */
  void await(long end) {
    while (open.get() > 0 && System.nanoTime() - end < 0) {
      LockSupport.parkNanos(1_000_000);
    }
  }
}
