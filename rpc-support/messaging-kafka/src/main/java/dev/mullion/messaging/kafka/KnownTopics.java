package dev.mullion.messaging.kafka;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * What the broker last said about topics that this link needs: which are missing, and which id each
 * has. A topic that is deleted and made again has another id, and offsets of the former one mean
 * nothing in it. Answers may arrive in another order than their questions: the latest question
 * counts. A node may not know yet what was made just now.
 */
final class KnownTopics {
  private static final long NEW_NANOS = TimeUnit.SECONDS.toNanos(2);
  private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(30);

  private final Map<String, Known> all = new ConcurrentHashMap<>();

  /**
   * One topic; all times are those of {@link System#nanoTime}.
   *
   * @param id the last one that is known
   * @param former the one before; a node may not know yet that it is gone
   * @param asked when the question was asked whose answer this is
   * @param made when it was made or found to exist, by this link; 0 if it was not
   * @param missed when it was missing the last time; 0 if it never was
   */
  private record Known(
      @Nullable Uuid id,
      @Nullable Uuid former,
      boolean missing,
      long asked,
      long made,
      long missed) {
    private static final Known NOTHING = new Known(null, null, false, 0, 0, 0);

    Known existing(Uuid now, long asked) {
      Uuid before = now.equals(id) ? former : id;
      return new Known(now, before, false, asked, made, missed);
    }

    boolean isLaterThan(long other) {
      return asked != 0 && asked - other > 0;
    }

    boolean isNew() {
      return made != 0 && System.nanoTime() - made < NEW_NANOS;
    }
  }

  /** Takes an answer to what was asked then, by {@link System#nanoTime}. */
  void exists(String topic, Uuid id, long asked) {
    learn(
        topic,
        old -> old.isLaterThan(asked) || id.equals(old.former) ? old : old.existing(id, asked));
  }

  void missing(String topic, long asked) {
    learn(
        topic,
        old -> old.isLaterThan(asked) || old.isNew()
            ? old
            : new Known(old.id, old.former, true, asked, old.made, System.nanoTime()));
  }

  /** Takes notice that a topic exists now; its id is told by the next answer. */
  void made(String topic) {
    long now = System.nanoTime();
    learn(topic, old -> new Known(old.id, old.former, false, now, now, old.missed));
  }

  private void learn(String topic, UnaryOperator<Known> change) {
    all.compute(topic, (name, old) -> change.apply(old == null ? Known.NOTHING : old));
  }

  /** Returns whether a topic is missing; what was asked long ago does not count. */
  boolean isMissing(String topic) {
    Known known = all.get(topic);
    return known != null && known.missing && System.nanoTime() - known.missed < FRESH_NANOS;
  }

  /** Returns whether a topic was missing after that time, by {@link System#nanoTime}. */
  boolean wasMissing(String topic, long since) {
    Known known = all.get(topic);
    return known != null && known.missed != 0 && (known.missing || known.missed - since > 0);
  }

  /** Returns the id of a topic; null if it is not known. */
  @Nullable
  Uuid id(String topic) {
    Known known = all.get(topic);
    return known == null ? null : known.id;
  }

  /** Returns whether a topic is known to have another id than this one. */
  boolean isAnother(String topic, @Nullable Uuid former) {
    return TopicId.differ(id(topic), former);
  }

  /** Forgets those that are not needed any more, unless something was learned of them since. */
  void retain(Set<String> needed, long since) {
    all.entrySet()
        .removeIf(each -> !needed.contains(each.getKey())
            && !each.getValue().isLaterThan(since)
            && !each.getValue().isNew());
  }
}
