package dev.mullion.messaging.rabbitmq;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** When a source was handed something last. */
final class Arrivals {
  private static final int STILL_ROUND_TRIPS = 3;
  private static final long STILL_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
  private static final long MOST_STILL_NANOS = TimeUnit.SECONDS.toNanos(2);

  private volatile long last = System.nanoTime();

  /** Notes that something has arrived, or that it is waited for anew. */
  void arrived() {
    last = System.nanoTime();
  }

  boolean noneFor(long nanos) {
    return System.nanoTime() - last > nanos;
  }

  /**
   * Waits until nothing has arrived for a moment, and during some questions to the queue, which
   * take longer where the broker or this process is busy.
   */
  void awaitNone(Session.Use question) throws IOException {
    long end = System.nanoTime() + MOST_STILL_NANOS;
    long begin = System.nanoTime();
    for (int quiet = 0; quiet < STILL_ROUND_TRIPS || System.nanoTime() - begin < STILL_NANOS; ) {
      if (System.nanoTime() - end > 0) {
        return;
      }
      long before = last;
      question.run();
      LockSupport.parkNanos(1_000_000);
      if (last == before) {
        quiet++;
      } else {
        quiet = 0;
        begin = System.nanoTime();
      }
    }
  }
}
