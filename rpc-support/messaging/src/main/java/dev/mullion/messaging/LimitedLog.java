package dev.mullion.messaging;

import java.lang.System.Logger.Level;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** Warnings of this package: at most one line a second for each kind, with the number left out. */
final class LimitedLog {
  private static final System.Logger LOGGER = System.getLogger(LimitedLog.class.getPackageName());
  private static final long INTERVAL = TimeUnit.SECONDS.toNanos(1);
  private static final Map<String, Kind> KINDS = new ConcurrentHashMap<>();

  private LimitedLog() {}

  /** Logs a warning; never throws, so it can stand in any handling of a failure. */
  static void warn(String kind, String text, Throwable error) {
    try {
      long omitted = KINDS.computeIfAbsent(kind, key -> new Kind()).omitted();
      if (omitted >= 0) {
        LOGGER.log(
            Level.WARNING, omitted == 0 ? text : text + " (and " + omitted + " more)", error);
      }
    } catch (Throwable unlogged) { // a log that fails must not become a failure of its caller
      unlogged.addSuppressed(error);
    }
  }

  /** The state of one kind; kinds are constants in this package, so there are few. */
  private static final class Kind {
    private final AtomicLong last = new AtomicLong(System.nanoTime() - INTERVAL);
    private final LongAdder omitted = new LongAdder();

    /** Returns how many lines were left out since the last one, or -1 to leave out this one too. */
    long omitted() {
      long now = System.nanoTime();
      long before = last.get();
      if (now - before < INTERVAL || !last.compareAndSet(before, now)) {
        omitted.increment();
        return -1;
      }
      return omitted.sumThenReset();
    }
  }
}
