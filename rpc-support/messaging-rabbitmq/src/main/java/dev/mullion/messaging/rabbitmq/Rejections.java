package dev.mullion.messaging.rabbitmq;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Since when each address has rejected all that a channel publishes to it. */
final class Rejections {
  private final Map<String, Long> since = new ConcurrentHashMap<>();

  /** Takes the broker's answer to a publish. */
  void answered(Publication publication, boolean accepted) {
    if (!accepted) {
      since.putIfAbsent(publication.address(), System.nanoTime());
    } else if (!since.isEmpty()) {
      since.remove(publication.address());
    }
  }

  /** Returns the time of the address that rejects for longest; 0 if none does. */
  long longestNanos() {
    long now = System.nanoTime();
    return since.values().stream()
        .mapToLong(each -> Math.max(1, now - each))
        .max()
        .orElse(0);
  }

  @Override
  public String toString() {
    return String.join(", ", since.keySet());
  }
}
