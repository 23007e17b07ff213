package dev.mullion.messaging.rabbitmq;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** What was published on one channel and not confirmed, by its number there. */
final class Unconfirmed {
  private final ConcurrentSkipListMap<Long, Publication> open = new ConcurrentSkipListMap<>();
  private volatile long quietSince = System.nanoTime();
  private volatile boolean hasAnswers;
  private volatile boolean drained;
  private volatile boolean causeFound;

  void add(long number, Publication publication) {
    open.put(number, publication);
  }

  /** Returns whether it was still there. */
  boolean remove(long number) {
    return open.remove(number) != null;
  }

  boolean isEmpty() {
    return open.isEmpty();
  }

  /** Returns whether one is here that may be the cause of a channel's end, and so is alone. */
  boolean mayHaveCause() {
    var first = open.firstEntry();
    return first != null && first.getValue().mayBeCause();
  }

  /** Returns whether it is known for which of these the broker has closed the channel. */
  boolean isCauseFound() {
    return causeFound;
  }

  void causeFound() {
    causeFound = true;
  }

  /** Returns whether all were taken; who adds one after that has to take it back. */
  boolean isDrained() {
    return drained;
  }

  /** Takes an answer of the broker, for one or for all up to a number. */
  void answered(long number, boolean multiple, boolean accepted) {
    quietSince = System.nanoTime();
    hasAnswers = true;
    if (!multiple) {
      Publication one = open.remove(number);
      if (one != null) {
        Publisher.answered(one, accepted);
      }
      return;
    }
    ConcurrentNavigableMap<Long, Publication> all = open.headMap(number, true);
    for (Long each : all.keySet()) {
      Publication one = open.remove(each);
      if (one != null) {
        Publisher.answered(one, accepted);
      }
    }
  }

  /** Returns whether the broker has ever answered here. */
  boolean hasAnswers() {
    return hasAnswers;
  }

  /** Returns for how long nothing was answered although something waits; 0 if nothing does. */
  long silentNanos() {
    var first = open.firstEntry();
    if (first == null) {
      return 0;
    }
    long now = System.nanoTime();
    return Math.min(now - first.getValue().written, now - quietSince);
  }

  /**
   * Marks the one that the broker has returned. Several of one id to one queue are alike, so it
   * does not matter which.
   */
  void returned(String routingKey, @Nullable String id) {
    for (Publication each : open.values()) {
      if (!each.returned
          && each.mandatory
          && each.routingKey.equals(routingKey)
          && each.hasId(id)) {
        each.returned = true;
        return;
      }
    }
  }

  void removeOlder(Predicate<Publication> which, Consumer<Publication> taker) {
    open.forEach((number, each) -> {
      if (which.test(each) && open.remove(number, each)) {
        taker.accept(each);
      }
    });
  }

  /** Takes all, once, in the order in which they were published. */
  synchronized List<Publication> drain() {
    if (drained) {
      return List.of();
    }
    drained = true;
    List<Publication> all = new ArrayList<>();
    for (var first = open.pollFirstEntry(); first != null; first = open.pollFirstEntry()) {
      all.add(first.getValue());
    }
    return all;
  }
}
