package dev.mullion.framing.tcp;

import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Looks at all the connections of one event loop at intervals, so that a connection pays for its idle
 * timeout with a flag and not with a clock and a timer of its own. Used by that loop's thread only.
 */
final class IdleWatch {
  /** A connection is closed after its idle timeout and at most one interval more. */
  static final int INTERVALS = 8;

  /** What is looked at. */
  interface Watched {
    void intervalPassed();
  }

  private final Set<Watched> watched = new LinkedHashSet<>();

  /** Looks for the first time after an interval; the loop's end is the watch's. */
  IdleWatch(EventExecutor loop, long idleNanos) {
    long interval = Math.max(1, idleNanos / INTERVALS);
    loop.scheduleWithFixedDelay(this::look, interval, interval, TimeUnit.NANOSECONDS);
  }

  void add(Watched connection) {
    watched.add(connection);
  }

  void remove(Watched connection) {
    watched.remove(connection);
  }

  private void look() {
    // One that is closed now removes itself.
    for (Watched connection : new ArrayList<>(watched)) {
      connection.intervalPassed();
    }
  }
}
