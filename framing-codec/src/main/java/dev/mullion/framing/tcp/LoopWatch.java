package dev.mullion.framing.tcp;

import io.netty.util.concurrent.EventExecutor;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Looks at all the connections of one event loop at intervals, so that a connection pays for its
 * timeouts with a flag and not with a clock and a timer of its own. It also knows whose handler the
 * loop is in. Used by that loop's thread only, but for {@link #inside} and {@link #entries}.
 */
final class LoopWatch {
  /** How many looks fit into the shortest timeout, and so how late it may be noticed. */
  private static final int LOOKS = 8;

  private static final long LONGEST_INTERVAL = TimeUnit.SECONDS.toNanos(10);

  private static final VarHandle INSIDE;
  private static final VarHandle ENTRIES;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      INSIDE = lookup.findVarHandle(LoopWatch.class, "inside", Link.class);
      ENTRIES = lookup.findVarHandle(LoopWatch.class, "entries", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** However busy the loop may be, it does not look more often. */
  private static final long SHORTEST_INTERVAL = TimeUnit.MILLISECONDS.toNanos(1);

  private final EventExecutor loop;
  private final long interval;
  private final Set<Link> links = new LinkedHashSet<>();

  @SuppressWarnings("unused") // Read and written by its handle only.
  private @Nullable Link inside;

  private long entries;

  /** How many calls the loop is in, one inside the other. */
  private int depth;

  /** Looks for the first time after an interval; the loop's end is the watch's. */
  LoopWatch(EventExecutor loop, long shortestTimeoutNanos) {
    this.loop = loop;
    interval =
        Math.max(SHORTEST_INTERVAL, Math.min(LONGEST_INTERVAL, shortestTimeoutNanos / LOOKS));
    if (shortestTimeoutNanos > 0) {
      loop.scheduleWithFixedDelay(this::look, interval, interval, TimeUnit.NANOSECONDS);
    }
  }

  EventExecutor loop() {
    return loop;
  }

  void add(Link link) {
    links.add(link);
  }

  void remove(Link link) {
    links.remove(link);
  }

  /** Returns how many connections it looks at. */
  int size() {
    return links.size();
  }

  private void look() {
    long now = System.nanoTime();
    // One that is closed now removes itself.
    for (Link link : new ArrayList<>(links)) {
      try {
        link.timeouts.look(now, 2 * interval);
      } catch (Throwable e) {
        // Else no connection of this loop would be looked at any more.
        link.handlerFailed(e);
      }
    }
  }

  /** Says that the handler of a connection is about to be called. Of nested calls the first counts. */
  void enter(Link link) {
    if (depth++ == 0) {
      ENTRIES.setOpaque(this, entries + 1);
      INSIDE.setRelease(this, link);
    }
  }

  /** Says that the handler has returned. */
  void exit() {
    if (--depth == 0) {
      INSIDE.setRelease(this, null);
    }
  }

  /** Returns the connection whose handler the loop is in; any thread may ask. */
  @Nullable
  Link inside() {
    return (Link) INSIDE.getAcquire(this);
  }

  /** Returns how often a handler has been called; any thread may ask. */
  long entries() {
    return (long) ENTRIES.getOpaque(this);
  }
}
