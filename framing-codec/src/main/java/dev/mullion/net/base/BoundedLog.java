package dev.mullion.net.base;

import static java.util.Objects.requireNonNull;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Logs events that a peer can repeat without limit: at most one line a second for each kind of
 * event. A line reports how many events of its kind were left out since the last line, and the peer
 * of the last one left out.
 *
 * <pre>{@code
 *  at      lines of one kind of event
 *  ----------------------------------------------------------------------------------
 *  0 s     TLS failed: not an SSL/TLS record (peer /127.0.0.1:50312)
 *  2.1 s   TLS failed: no common version (peer /127.0.0.1:50977)
 *          [4711 more in the last 2 s, last peer /127.0.0.1:50976]
 * }</pre>
 *
 * <p>An exception of the logger is counted and does not reach the caller. Any thread may call any
 * method; the logger is called without a lock.
 *
 * @param <K> the kinds of event
 */
public final class BoundedLog<K extends Enum<K>> {
  private static final long INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final System.Logger logger;
  private final LongSupplier nanoTime;
  private final Map<K, State> states;
  private final LongAdder failures = new LongAdder();

  /** Creates a log whose kinds of event are the constants of an enum. */
  public BoundedLog(System.Logger logger, Class<K> kinds) {
    this(logger, kinds, System::nanoTime);
  }

  BoundedLog(System.Logger logger, Class<K> kinds, LongSupplier nanoTime) {
    this.logger = requireNonNull(logger, "logger");
    this.nanoTime = nanoTime;
    states = new EnumMap<>(kinds);
    for (K kind : kinds.getEnumConstants()) {
      states.put(kind, new State());
    }
  }

  /** Logs an event, or counts it if the last line of its kind is less than a second old. */
  public void log(K kind, System.Logger.Level level, @Nullable Object peer, Supplier<String> text) {
    log(kind, level, peer, text, null);
  }

  /**
   * Logs an event with its error; see {@link #log(Enum, System.Logger.Level, Object, Supplier)}.
   */
  public void log(
      K kind,
      System.Logger.Level level,
      @Nullable Object peer,
      Supplier<String> text,
      @Nullable Throwable error) {
    try {
      if (!logger.isLoggable(level)) {
        return;
      }
      String leftOut = requireNonNull(states.get(kind), "kind").next(nanoTime.getAsLong(), peer);
      if (leftOut != null) {
        log(level, text.get() + leftOut, error);
      }
    } catch (Throwable e) {
      // It cannot be reported: the logger itself failed, for example without a file descriptor.
      failures.increment();
    }
  }

  /** The error's own methods may throw; then only its class is logged. */
  private void log(System.Logger.Level level, String line, @Nullable Throwable error) {
    try {
      logger.log(level, line, error);
    } catch (Throwable e) {
      if (error == null) {
        throw e;
      }
      failures.increment();
      logger.log(level, line + ": " + error.getClass().getName(), (Throwable) null);
    }
  }

  /** Returns the number of failures of the logger. */
  public long failures() {
    return failures.sum();
  }

  /** The state of a kind of event since its last line. */
  private static final class State {
    private boolean logged;
    private long loggedAt;
    private long leftOut;
    private @Nullable Object lastPeer;

    /** Returns the suffix of an event's line, or {@code null} if the event is not logged. */
    synchronized @Nullable String next(long now, @Nullable Object peer) {
      if (logged && now - loggedAt < INTERVAL_NANOS) {
        leftOut++;
        lastPeer = peer;
        return null;
      }
      String suffix = leftOut == 0
          ? ""
          : " [" + leftOut + " more in the last " + seconds(now) + " s"
              + (lastPeer == null ? "" : ", last peer " + lastPeer) + "]";
      logged = true;
      loggedAt = now;
      leftOut = 0;
      lastPeer = null;
      return suffix;
    }

    private long seconds(long now) {
      return TimeUnit.NANOSECONDS.toSeconds(now - loggedAt);
    }
  }
}
