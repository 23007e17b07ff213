package dev.mullion.messaging.kafka;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * What the broker last said about topics that this link needs: which are missing, and which id each
 * has. A topic that is deleted and made again has another id, and offsets of the former one mean
 * nothing in it. Answers may arrive in another order than their questions: the latest question
 * counts.
 */
final class KnownTopics {
  private final Map<String, Known> all = new ConcurrentHashMap<>();

  /**
   * One topic.
   *
   * @param id the last one that is known
   * @param missed when it was missing the last time
   */
  private record Known(@Nullable Uuid id, boolean missing, long asked, long missed) {}

  /** Takes an answer to what was asked then, by {@link System#nanoTime}. */
  void exists(String topic, Uuid id, long asked) {
    learn(topic, id, false, asked);
  }

  void missing(String topic, long asked) {
    learn(topic, null, true, asked);
  }

  /** Takes notice that a topic exists now; its id is told by the next answer. */
  void made(String topic) {
    long now = System.nanoTime();
    all.computeIfPresent(topic, (name, old) -> new Known(old.id, false, now, old.missed));
  }

  private void learn(String topic, @Nullable Uuid id, boolean missing, long asked) {
    long missed = missing ? System.nanoTime() : asked - Long.MAX_VALUE / 2;
    all.merge(topic, new Known(id, missing, asked, missed), (old, now) -> {
      if (old.asked - now.asked > 0) {
        return old;
      }
      return new Known(
          now.id == null ? old.id : now.id, missing, asked, missing ? missed : old.missed);
    });
  }

  boolean isMissing(String topic) {
    Known known = all.get(topic);
    return known != null && known.missing;
  }

  /** Returns whether a topic was missing after that time, by {@link System#nanoTime}. */
  boolean wasMissing(String topic, long since) {
    Known known = all.get(topic);
    return known != null && (known.missing || known.missed - since > 0);
  }

  /** Returns the id of a topic; null if it is not known. */
  @Nullable
  Uuid id(String topic) {
    Known known = all.get(topic);
    return known == null ? null : known.id;
  }

  /** Returns whether a topic is known to have another id than this one. */
  boolean isAnother(String topic, @Nullable Uuid former) {
    Uuid now = id(topic);
    return now != null && former != null && !now.equals(former);
  }

  /** Forgets those that are not needed any more. */
  void retain(Set<String> needed) {
    all.keySet().retainAll(needed);
  }
}
