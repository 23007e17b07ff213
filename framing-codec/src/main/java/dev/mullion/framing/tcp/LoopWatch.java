package dev.mullion.framing.tcp;

import io.netty.util.concurrent.EventExecutor;
import java.lang.System.Logger.Level;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Checks all connections of one event loop at intervals, so that a connection's timeouts cost a
 * flag instead of a clock and a timer. It also knows which connection's handler the loop is
 * running. Used only by that loop's thread, except for {@link #inside} and {@link #entries}.
 */
final class LoopWatch {
  /** A connection of the loop. */
  interface Watched {
    /**
     * Advances its clocks.
     *
     * @param passed how much time counts as passed since the last check
     */
    void look(long now, long passed);

    /** Closes it because user code has thrown. */
    void handlerFailed(Throwable error);

    /** Logs an event of this connection; any thread may call it. */
    void log(Event event, Level level, String text, @Nullable Throwable error);

    /** Returns its place in the watch's list, or -1 if it is not in it. */
    int place();

    void place(int place);

    /** Its peer, for the log; any thread may call it. */
    @Nullable
    SocketAddress peer();

    /** The loop's thread; any thread may call it. */
    @Nullable
    Thread thread();
  }

  /** Checks per shortest timeout; a timeout may be noticed late by one interval. */
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

  /** The shortest interval between checks, however short the timeouts are. */
  private static final long SHORTEST_INTERVAL = TimeUnit.MILLISECONDS.toNanos(1);

  private final long interval;
  private final List<Watched> links = new ArrayList<>();

  @SuppressWarnings("unused") // Read and written by its handle only.
  private @Nullable Watched inside;

  private long entries;

  private volatile @Nullable Thread thread;

  private long lookedAt = System.nanoTime();

  /** The depth of nested handler calls. */
  private int depth;

  /** Schedules the first check after an interval; the watch ends with the loop. */
  LoopWatch(EventExecutor loop, long shortestTimeoutNanos) {
    interval =
        Math.max(SHORTEST_INTERVAL, Math.min(LONGEST_INTERVAL, shortestTimeoutNanos / LOOKS));
    if (shortestTimeoutNanos > 0) {
      loop.scheduleWithFixedDelay(this::look, interval, interval, TimeUnit.NANOSECONDS);
    }
  }

  void add(Watched link) {
    thread = Thread.currentThread();
    link.place(links.size());
    links.add(link);
  }

  /** Removes a connection; the last one gets its place. Does nothing the second time. */
  void remove(Watched link) {
    int place = link.place();
    if (place < 0) {
      return;
    }
    link.place(-1);
    Watched last = links.remove(links.size() - 1);
    if (last != link) {
      links.set(place, last);
      last.place(place);
    }
  }

  /** Returns the loop's thread, once it has had a connection; any thread may call it. */
  @Nullable
  Thread thread() {
    return thread;
  }

  /** Returns the number of connections that it checks. */
  int size() {
    return links.size();
  }

  private void look() {
    long now = System.nanoTime();
    long passed = Math.min(now - lookedAt, 2 * interval);
    lookedAt = now;
    // A connection that is closed now removes itself.
    for (Watched link : new ArrayList<>(links)) {
      try {
        link.look(now, passed);
      } catch (Throwable e) {
        // Otherwise no connection of this loop would be checked any more.
        link.handlerFailed(e);
      }
    }
  }

  /**
   * Notes that a connection's handler is about to be called. For nested calls the outermost counts.
   */
  void enter(Watched link) {
    if (depth++ == 0) {
      ENTRIES.setOpaque(this, entries + 1);
      INSIDE.setRelease(this, link);
    }
  }

  /** Notes that the handler has returned. */
  void exit() {
    if (--depth == 0) {
      INSIDE.setRelease(this, null);
    }
  }

  /** Returns the connection whose handler is running; any thread may call it. */
  @Nullable
  Watched inside() {
    return (Watched) INSIDE.getAcquire(this);
  }

  /** Returns how often a handler has been called; any thread may call it. */
  long entries() {
    return (long) ENTRIES.getOpaque(this);
  }
}
