package dev.mullion.messaging;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** One timer that goes off at the earliest of the times that were asked for since it last did. */
final class Alarm {
  private static final Duration RETRY = Duration.ofSeconds(1);

  private final MessagingClock clock;
  private final Runnable task;
  private MessagingClock.@Nullable Timer timer;
  private long armedFor;
  private boolean cancelled;

  Alarm(MessagingClock clock, Runnable task) {
    this.clock = clock;
    this.task = task;
  }

  /** Asks for a time, in nanoseconds of the clock. */
  synchronized void at(long time) {
    if (cancelled || (timer != null && armedFor - time <= 0)) {
      return;
    }
    if (timer != null) {
      timer.cancel();
    }
    timer = null; // if there is no new one, the next call tries again
    armedFor = time;
    timer = clock.scheduleAt(time, () -> goOff(time));
  }

  private void goOff(long time) {
    synchronized (this) {
      if (cancelled || armedFor != time) {
        return;
      }
      timer = null;
    }
    try {
      task.run();
    } catch (Throwable e) { // Error too: what it is for must not wait for ever
      LimitedLog.warn("alarm", "the task of a timer failed; next attempt in " + RETRY, e);
      at(Times.after(RETRY, clock));
    }
  }

  synchronized void cancel() {
    cancelled = true;
    if (timer != null) {
      timer.cancel();
      timer = null;
    }
  }
}
