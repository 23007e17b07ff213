package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;

/**
 * A time that costs next to nothing to read while it is read very often: to ask the system takes a
 * fifth of what an embedded message takes in all. The first readings of a millisecond are exact;
 * after them the last one stands for all that follow, until a timer ends it a millisecond later.
 */
final class CoarseTime {
  private static final int EXACT_READINGS = 64;
  private static final Duration HOLD = Duration.ofMillis(1);
  private static final long NONE = Long.MIN_VALUE;

  private final LongSupplier time;
  private final long unitsOfHold;
  private final MessagingClock timers;
  private final AtomicBoolean holding = new AtomicBoolean();
  private volatile long held = NONE;
  private long since; // as the next one under no lock: a lost update makes one reading exact
  private int readings;

  /** The units are those of the time; what is given has to be all of a millisecond. */
  CoarseTime(LongSupplier time, long unitsOfMillisecond, MessagingClock timers) {
    this.time = time;
    this.unitsOfHold = unitsOfMillisecond;
    this.timers = timers;
  }

  /** Returns the time; it is never ahead. */
  long get() {
    long now = held;
    return now != NONE ? now : exact();
  }

  private long exact() {
    long now = time.getAsLong();
    if (now - since > unitsOfHold) {
      since = now;
      readings = 0;
    } else if (++readings > EXACT_READINGS && holding.compareAndSet(false, true)) {
      hold(now);
    }
    return now;
  }

  private void hold(long now) {
    boolean ends = false;
    try {
      held = now;
      timers.schedule(HOLD, this::end);
      ends = true;
    } finally {
      if (!ends) {
        end();
      }
    }
  }

  private void end() {
    readings = 0;
    held = NONE;
    holding.set(false);
  }
}
