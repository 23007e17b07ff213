package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.LongAdder;

/**
 * The one place for what those throw that watch calls: meters, logs, whatever it is. It changes no
 * call, but is counted, and logged once a second at most.
 */
final class ObserverFailures {
  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(ObserverFailures.class.getName()), Event.class);

  private enum Event {
    FAILED
  }

  private ObserverFailures() {}

  /** Runs what an observer does, and adds to the counter if that fails. */
  static void guard(LongAdder counter, Object observer, Runnable told) {
    try {
      told.run();
    } catch (Throwable thrown) {
      failed(counter, observer, thrown);
    }
  }

  /** Adds what an observer has thrown to the counter. */
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
