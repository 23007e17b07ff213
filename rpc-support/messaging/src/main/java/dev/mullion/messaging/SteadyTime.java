package dev.mullion.messaging;

import java.util.concurrent.TimeUnit;

/**
 * The time of day when this was made, plus what has passed since: nothing ages when the system's
 * clock is set.
 */
final class SteadyTime {
  private final MessagingClock clock;
  private final long beganNanos;
  private final long beganMillis;

  SteadyTime(MessagingClock clock) {
    this.clock = clock;
    this.beganNanos = clock.nanoTime();
    this.beganMillis = clock.currentTimeMillis();
  }

  long millis() {
    return beganMillis + TimeUnit.NANOSECONDS.toMillis(clock.nanoTime() - beganNanos);
  }
}
