package dev.mullion.messaging.kafka;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/** The log of this module: at most one line a second for each kind of event. */
final class Logs {
  private static final Logger LOG = System.getLogger(Logs.class.getPackageName());
  private static final long SECOND = 1_000_000_000;
  private static final Map<String, Long> LAST = new ConcurrentHashMap<>();

  private Logs() {}

  /** Logs a line, unless there was one just now; returns whether it did. */
  static boolean warn(String kind, String text, @Nullable Throwable error) {
    long now = System.nanoTime();
    Long last = LAST.get(kind);
    if (last == null || now - last >= SECOND) {
      LAST.put(kind, now);
      LOG.log(Level.WARNING, text, error);
      return true;
    }
    return false;
  }
}
