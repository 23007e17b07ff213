package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Times of a clock, in nanoseconds, and the times of day that a store keeps, in milliseconds. */
final class Times {
  /** No time: later than all others. */
  static final long NEVER = Long.MAX_VALUE;

  private static final long LONGEST_SECONDS = Long.MAX_VALUE / 4_000_000_000L;

  private Times() {}

  /** Returns when a message that is sent now expires. */
  static long expiry(Message<?> message, MessagingClock clock) {
    return message.timeToLive().isEmpty() ? NEVER : after(message.timeToLive().get(), clock);
  }

  /** Returns the clock's time after a delay. */
  static long after(Duration delay, MessagingClock clock) {
    return delay.toSeconds() > LONGEST_SECONDS ? NEVER : clock.nanoTime() + delay.toNanos();
  }

  /** Returns milliseconds, for a duration that may be too long for them. */
  static long millis(Duration duration) {
    return Math.min(duration.toSeconds(), LONGEST_SECONDS) * 1000 + duration.toMillisPart();
  }

  static boolean isPast(long time, MessagingClock clock) {
    return time != NEVER && time - clock.nanoTime() <= 0;
  }

  /** Returns the clock's time of a stored time of day; 0 stands for none. */
  static long fromStored(long millis, MessagingClock clock) {
    if (millis == 0) {
      return NEVER;
    }
    long left = Math.min(millis - clock.currentTimeMillis(), LONGEST_SECONDS * 1000);
    return clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(left);
  }

  /** Returns the time of day to store for a time of the clock, never an earlier one. */
  static long toStored(long time, MessagingClock clock) {
    if (time == NEVER) {
      return 0;
    }
    long left = time - clock.nanoTime();
    return clock.currentTimeMillis() + TimeUnit.NANOSECONDS.toMillis(left + 999_999);
  }
}
