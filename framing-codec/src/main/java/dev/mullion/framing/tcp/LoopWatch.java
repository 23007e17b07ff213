package dev.mullion.framing.tcp;

import io.netty.util.concurrent.EventExecutor;
import java.lang.System.Logger.Level;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.net.SocketAddress;
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
  /** A connection of the loop. */
  interface Watched {
    /**
     * Moves its clocks on.
     *
     * @param most by how much at most
     */
    void look(long now, long most);

    /** Ends it, since code that is not the library's has thrown. */
    void handlerFailed(Throwable error);

    /** Logs what concerns it; any thread may call it. */
    void log(Event event, Level level, String text, @Nullable Throwable error);

    /** Its peer, for the log; any thread may ask. */
    @Nullable
    SocketAddress peer();

    /** The loop's thread; any thread may ask. */
    @Nullable
    Thread thread();
  }

  /** How many looks fit into the shortest timeout, and so how late it may be noticed. */
  private static final int LOOKS = 8;

  private static final long LONGEST_INTERVAL = TimeUnit.SECONDS.toNanos(10);

  private static final VarHandle INSIDE;
  private static final VarHandle ENTRIES;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      INSIDE = lookup.findVarHandle(LoopWatch.class, "inside", Watched.class);
      ENTRIES = lookup.findVarHandle(LoopWatch.class, "entries", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** However busy the loop may be, it does not look more often. */
  private static final long SHORTEST_INTERVAL = TimeUnit.MILLISECONDS.toNanos(1);

  private final long interval;
  private final Set<Watched> links = new LinkedHashSet<>();

  @SuppressWarnings("unused") // Read and written by its handle only.
  private @Nullable Watched inside;

  private long entries;

  /** How many calls the loop is in, one inside the other. */
  private int depth;

  /** Looks for the first time after an interval; the loop's end is the watch's. */
  LoopWatch(EventExecutor loop, long shortestTimeoutNanos) {
    interval =
        Math.max(SHORTEST_INTERVAL, Math.min(LONGEST_INTERVAL, shortestTimeoutNanos / LOOKS));
    if (shortestTimeoutNanos > 0) {
      loop.scheduleWithFixedDelay(this::look, interval, interval, TimeUnit.NANOSECONDS);
    }
  }

  void add(Watched link) {
    links.add(link);
  }

  void remove(Watched link) {
    links.remove(link);
  }

  /** Returns how many connections it looks at. */
  int size() {
    return links.size();
  }

  private void look() {
    long now = System.nanoTime();
    // One that is closed now removes itself.
    for (Watched link : new ArrayList<>(links)) {
      try {
        link.look(now, 2 * interval);
      } catch (Throwable e) {
        // Else no connection of this loop would be looked at any more.
        link.handlerFailed(e);
      }
    }
  }

  /**
   * Says that the handler of a connection is about to be called. Of nested calls the first counts.
   */
  void enter(Watched link) {
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
  Watched inside() {
    return (Watched) INSIDE.getAcquire(this);
  }

  /** Returns how often a handler has been called; any thread may ask. */
  long entries() {
    return (long) ENTRIES.getOpaque(this);
  }
}
