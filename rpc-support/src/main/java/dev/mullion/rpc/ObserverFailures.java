package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.LongAdder;

/**
 * Central handling of exceptions thrown by observers of calls, such as meters and logs. They do not
 * affect calls. They are counted, and logged at most once a second.
 */
final class ObserverFailures {
  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(ObserverFailures.class.getName()), Event.class);

  private enum Event {
    FAILED
  }

  private ObserverFailures() {}

  /** Runs an observer's action, and increments the counter if it throws. */
  static void guard(LongAdder counter, Object observer, Runnable action) {
    try {
      action.run();
    } catch (Throwable thrown) {
      failed(counter, observer, thrown);
    }
  }

  /** Counts and logs an observer's exception. */
  static void failed(LongAdder counter, Object observer, Throwable thrown) {
    counter.increment();
    LOG.log(
        Event.FAILED,
        Level.WARNING,
        null,
        () -> "observer of calls failed: " + observer.getClass().getName(),
        thrown);
  }
}
