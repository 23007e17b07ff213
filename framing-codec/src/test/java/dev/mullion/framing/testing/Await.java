package dev.mullion.framing.testing;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;

/**
 * Waits for a condition, where a sleep would be too short on one machine and too long on another.
 */
public final class Await {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private Await() {}

  /**
   * Waits until a condition holds.
   *
   * @throws AssertionError if it does not within 20 seconds
   */
  public static void until(String condition, Callable<Boolean> holds) throws Exception {
    long start = System.nanoTime();
    while (!holds.call()) {
      if (System.nanoTime() - start > PATIENCE.toNanos()) {
        throw new AssertionError("did not come true within " + PATIENCE + ": " + condition);
      }
      LockSupport.parkNanos(200_000);
    }
  }
}
