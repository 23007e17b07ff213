package dev.mullion.messaging;

import java.time.Duration;

/**
 * What is left of a time that began when this was made, by the engine's clock or by real time,
 * whichever passes faster: a manual clock that stands still does not make a stop endless.
 */
final class TimeLeft {
  private final MessagingClock clock;
  private final Duration timeout;
  private final long start;
  private final long realStart = System.nanoTime();

  TimeLeft(MessagingClock clock, Duration timeout) {
    this.clock = clock;
    this.timeout = timeout;
    this.start = clock.nanoTime();
  }

  /** Returns what is left; zero once it is over. */
  Duration get() {
    return withGrace(Duration.ZERO);
  }

  /** Returns what is left, and the grace, which begins when the time is over. */
  Duration withGrace(Duration grace) {
    Duration left = timeout.minus(passed()).plus(grace);
    return left.isNegative() ? Duration.ZERO : left;
  }

  /** Returns what has passed. */
  Duration passed() {
    return Duration.ofNanos(Math.max(clock.nanoTime() - start, System.nanoTime() - realStart));
  }
}
