package dev.mullion.messaging.rabbitmq;

import java.lang.System.Logger.Level;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Logs each kind of event at most once in ten seconds. */
final class Logs {
  private static final System.Logger LOG = System.getLogger("dev.mullion.messaging.rabbitmq");
  private static final long INTERVAL = TimeUnit.SECONDS.toNanos(10);
  private static final Map<String, Long> LAST = new ConcurrentHashMap<>();

  private Logs() {}

  static void warn(String kind, String text, @Nullable Throwable error) {
    long now = System.nanoTime();
    Long before = LAST.get(kind);
    if (before == null ? LAST.putIfAbsent(kind, now) == null : isTurn(kind, before, now)) {
      LOG.log(Level.WARNING, text, error);
    }
  }

  private static boolean isTurn(String kind, Long before, long now) {
    return now - before > INTERVAL && LAST.replace(kind, before, now);
  }
}
