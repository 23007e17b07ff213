package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/** Looks once a second, on the clock's timer, and only while there is something to look for. */
abstract class Lookout {
  static final Duration INTERVAL = Duration.ofSeconds(1);

  private final MessagingClock clock;
  private final String what;
  private final AtomicBoolean looking = new AtomicBoolean();

  /** @param what it looks for, for the log */
  Lookout(MessagingClock clock, String what) {
    this.clock = clock;
    this.what = what;
  }

  /** Begins to look, unless it does already; called when something waits, or may. */
  final void watch() {
    if (!looking.get() && looking.compareAndSet(false, true)) {
      begin();
      lookLater();
    }
  }

  private void lookLater() {
    try {
      clock.schedule(INTERVAL, this::lookNow);
    } catch (Throwable e) { // no timer: the next message tries again
      looking.set(false);
      LimitedLog.warn(what, "no timer to look for " + what, e);
    }
  }

  private void lookNow() {
    if (look()) {
      lookLater();
      return;
    }
    looking.set(false);
    if (isNeeded()) { // it arrived in between
      watch();
    }
  }

  /** Notes how things are before the first look. */
  abstract void begin();

  /** Looks; returns whether there is more to look for. */
  abstract boolean look();

  /** Returns whether there is something to look for. */
  abstract boolean isNeeded();
}
