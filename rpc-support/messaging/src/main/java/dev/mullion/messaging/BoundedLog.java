package dev.mullion.messaging;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Logs events of one kind: at most one line a second, with the number of those left out. */
final class BoundedLog {
  private static final Logger LOGGER = System.getLogger(BoundedLog.class.getPackageName());
  private static final long INTERVAL_NANOS = 1_000_000_000;

  private final Level level;
  private final AtomicLong leftOut = new AtomicLong();
  private final AtomicLong next = new AtomicLong(System.nanoTime());

  BoundedLog(Level level) {
    this.level = level;
  }

  void log(String text, @Nullable Throwable cause) {
    long now = System.nanoTime();
    long free = next.get();
    if (now - free < 0 || !next.compareAndSet(free, now + INTERVAL_NANOS)) {
      leftOut.incrementAndGet();
      return;
    }
    long more = leftOut.getAndSet(0);
    LOGGER.log(level, more == 0 ? text : text + " (" + more + " more since the last line)", cause);
  }
}
