package dev.mullion.messaging.rabbitmq;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** What was published on one channel and not confirmed, by its number there. */
final class Unconfirmed {
  private static final int FEW = 64;
  private static final int MANY = 4096;

  /** The one of a number is at that number modulo the length. These are guarded by this. */
  private @Nullable Publication[] open = new Publication[FEW];

  private long first = 1; // no lower number is open
  private long end = 1; // no number from here on is open

  private volatile long quietSince = System.nanoTime();
  private volatile boolean hasAnswers;
  private volatile boolean drained;
  private volatile boolean causeFound;
  private volatile boolean stopped;
  private final Rejections rejections = new Rejections();

  /** Adds one; its number is above all before. */
  synchronized void add(long number, Publication publication) {
    if (first == end) {
      first = number;
    }
    while (number - first >= open.length) {
      grow();
    }
    open[at(number)] = publication;
    end = number + 1;
  }

  private int at(long number) {
    return (int) number & (open.length - 1);
  }

  private void grow() {
    @Nullable Publication[] before = open;
    open = new Publication[2 * before.length];
    for (long number = first; number < end; number++) {
      open[at(number)] = before[(int) number & (before.length - 1)];
    }
  }

  /** Returns whether it was still there. */
  boolean remove(long number) {
    return take(number) != null;
  }

  private synchronized @Nullable Publication take(long number) {
    if (number < first || number >= end) {
      return null;
    }
    Publication taken = open[at(number)];
    open[at(number)] = null;
    while (first < end && open[at(first)] == null) {
      first++;
    }
    if (first == end && open.length > MANY) {
      open = new Publication[FEW];
    }
    if (first == end && stopped) {
      notifyAll();
    }
    return taken;
  }

  private synchronized @Nullable Publication takeFirst(long last) {
    return first <= last ? take(first) : null;
  }

  private synchronized @Nullable Publication first() {
    return first < end ? open[at(first)] : null;
  }

  boolean isEmpty() {
    return first() == null;
  }

  /** Returns whether one is here that may be the cause of a channel's end, and so is alone. */
  boolean mayHaveCause() {
    Publication one = first();
    return one != null && one.mayBeCause();
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
    Publication one = multiple ? takeFirst(number) : take(number);
    while (one != null) {
      rejections.answered(one, accepted);
      Publisher.answered(one, accepted);
      one = multiple ? takeFirst(number) : null;
    }
  }

  Rejections rejections() {
    return rejections;
  }

  /** Lets nothing more be written, and waits for the answers to what was. */
  synchronized void stop(long millis) throws InterruptedException {
    stopped = true;
    Waiting.until(this, millis, this::isEmpty);
  }

  boolean isStopped() {
    return stopped;
  }

  /** Returns whether the broker has ever answered here. */
  boolean hasAnswers() {
    return hasAnswers;
  }

  /** Returns for how long nothing was answered although something waits; 0 if nothing does. */
  long silentNanos() {
    Publication oldest = first();
    if (oldest == null) {
      return 0;
    }
    long now = System.nanoTime();
    return Math.min(now - oldest.written, now - quietSince);
  }

  /**
   * Marks the one that the broker has returned. Several of one id to one queue are alike, so it
   * does not matter which.
   */
  synchronized void returned(String routingKey, @Nullable String id) {
    for (long number = first; number < end; number++) {
      Publication each = open[at(number)];
      if (each != null
          && !each.returned
          && each.mandatory
          && each.routingKey.equals(routingKey)
          && each.hasId(id)) {
        each.returned = true;
        return;
      }
    }
  }

  /** Takes those of a kind, in the order in which they were published. */
  synchronized List<Publication> takeIf(Predicate<Publication> which) {
    List<Publication> taken = new ArrayList<>();
    long last = end;
    for (long number = first; number < last; number++) {
      Publication each = open[at(number)];
      if (each != null && which.test(each)) {
        taken.add(each);
        take(number);
      }
    }
    return taken;
  }

  /** Takes all, once, in the order in which they were published. */
  synchronized List<Publication> drain() {
    if (drained) {
      return List.of();
    }
    drained = true;
    return takeIf(each -> true);
  }
}
