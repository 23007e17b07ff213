package dev.mullion.messaging.tck;

import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Handler;
import dev.mullion.messaging.Message;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.opentest4j.AssertionFailedError;

/**
 * What was delivered, each delivery of it: nothing is ever deduplicated away. Several handlers may
 * share one.
 *
 * @param <T> the payload's type
 */
final class Received<T> implements Handler<T> {
  private static final int SHOWN = 12;

  private final Profile profile;
  private final List<Entry<T>> entries = new ArrayList<>();

  /** One delivery, and when its handler began. */
  record Entry<T>(Message<T> message, String address, int count, boolean last, long nanos) {
    @Override
    public String toString() {
      String text = String.valueOf(message.payload());
      return (text.length() > 40 ? text.substring(0, 40) + "..." : text) + "/" + count;
    }
  }

  Received(Profile profile) {
    this.profile = profile;
  }

  @Override
  public void handle(Delivery<T> delivery) {
    add(delivery);
  }

  synchronized void add(Delivery<T> delivery) {
    entries.add(new Entry<>(
        delivery.message(),
        delivery.address(),
        delivery.deliveryCount(),
        delivery.isLast(),
        System.nanoTime()));
    notifyAll();
  }

  synchronized int size() {
    return entries.size();
  }

  synchronized List<Entry<T>> entries() {
    return List.copyOf(entries);
  }

  List<T> payloads() {
    return entries().stream().map(entry -> entry.message().payload()).toList();
  }

  /** Returns the payloads without duplicates, each where it came first. */
  List<T> distinct() {
    return payloads().stream().distinct().toList();
  }

  /** Waits until that many deliveries are there. */
  void awaitSize(int size) {
    await(all -> all.size() >= size, size + " deliveries");
  }

  /** Waits until all of these are there, each as often as it is expected, at least. */
  void awaitAll(Collection<T> expected) {
    int[] seen = {0};
    Map<T, Integer> missing = counts(expected);
    await(
        all -> {
          for (; seen[0] < all.size(); seen[0]++) {
            take(missing, all.get(seen[0]).message().payload());
          }
          return missing.isEmpty();
        },
        expected.size() + " messages");
  }

  /**
   * Waits until all of these are there and nothing more comes, and compares both as multisets.
   * Duplicates are allowed as far as the profile has them.
   */
  void awaitExactly(Collection<T> expected) {
    try {
      awaitAll(expected);
    } catch (AssertionFailedError late) {
      throw new AssertionFailedError(late.getMessage() + "; " + difference(expected), late);
    }
    awaitQuiet();
    checkExactly(expected);
  }

  /** Compares what is there now with these, as multisets. */
  void checkExactly(Collection<T> expected) {
    if (size() < expected.size()) {
      throw new AssertionFailedError(difference(expected));
    }
    long extra = (long) size() - expected.size();
    if (extra > profile.allowedDuplicates(expected.size()) || hasUnknown(expected)) {
      throw new AssertionFailedError(difference(expected));
    }
  }

  /** Waits until nothing more arrives, and checks that all that arrived is among these. */
  void awaitAtMost(Collection<T> expected) {
    awaitQuiet();
    if (hasUnknown(expected) || size() - profile.allowedDuplicates(size()) > expected.size()) {
      throw new AssertionFailedError(difference(expected));
    }
  }

  /** Waits until nothing has arrived for the profile's time. */
  void awaitQuiet() {
    int before;
    do {
      before = size();
    } while (growsBeyond(before));
  }

  /** Checks that nothing comes beyond what is there. */
  void staysAt(int size) {
    if (growsBeyond(size) || size() != size) {
      throw new AssertionFailedError(size + " deliveries expected, not more; seen: " + this);
    }
  }

  /**
   * Checks that a payload came again only when its handler had had its time. That began after the
   * delivery before, or after {@code since}: so this holds however often a machine stalls.
   */
  static <T> void checkTakenBack(
      T payload, long since, Duration timeout, List<Received<T>> receivers) {
    long before = since;
    long last = since;
    List<Entry<T>> deliveries = receivers.stream()
        .flatMap(each -> each.entries().stream())
        .filter(entry -> entry.message().payload().equals(payload))
        .sorted(Comparator.comparingLong(entry -> entry.nanos() - since))
        .toList();
    for (Entry<T> delivery : deliveries) {
      Duration took = Duration.ofNanos(delivery.nanos() - before);
      if (delivery.count() > 1 && took.compareTo(timeout) < 0) {
        throw new AssertionFailedError(
            delivery + " came " + took + " after its handler began, before " + timeout);
      }
      before = last;
      last = delivery.nanos();
    }
  }

  private boolean growsBeyond(int size) {
    return comesTrue(all -> all.size() > size, profile.quiet(), "more");
  }

  private void await(Predicate<List<Entry<T>>> condition, String what) {
    if (!comesTrue(condition, profile.delivery(), what)) {
      throw new AssertionFailedError(
          what + " expected within " + profile.delivery().toMillis() + " ms; seen: " + this);
    }
  }

  private synchronized boolean comesTrue(
      Predicate<List<Entry<T>>> condition, Duration timeout, String what) {
    long end = System.nanoTime() + timeout.toNanos();
    while (!condition.test(entries)) {
      long left = (end - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        return false;
      }
      try {
        wait(left);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionFailedError("interrupted while waiting for " + what, e);
      }
    }
    return true;
  }

  private boolean hasUnknown(Collection<T> expected) {
    return !new HashSet<>(expected).containsAll(payloads());
  }

  private String difference(Collection<T> expected) {
    Map<T, Integer> missing = counts(expected);
    List<T> extra = new ArrayList<>();
    for (T payload : payloads()) {
      if (!take(missing, payload)) {
        extra.add(payload);
      }
    }
    return "expected " + expected.size() + ", received " + size() + "; missing "
        + shown(missing.keySet()) + "; duplicate or unknown " + shown(extra) + " (allowed: "
        + profile.allowedDuplicates(expected.size()) + ")";
  }

  private static String shown(Collection<?> values) {
    return values.size()
        + values.stream().limit(SHOWN).map(String::valueOf).toList().toString();
  }

  private static <T> Map<T, Integer> counts(Collection<T> values) {
    Map<T, Integer> counts = new LinkedHashMap<>();
    values.forEach(value -> counts.merge(value, 1, Integer::sum));
    return counts;
  }

  /** Takes one of these values off their counts; returns whether there was one. */
  private static <T> boolean take(Map<T, Integer> counts, T value) {
    boolean counted = counts.containsKey(value);
    counts.computeIfPresent(value, (key, left) -> left > 1 ? left - 1 : null);
    return counted;
  }

  @Override
  public synchronized String toString() {
    int from = Math.max(0, entries.size() - SHOWN);
    return entries.size() + " deliveries" + (from > 0 ? ", the last of them " : " ")
        + entries.subList(from, entries.size());
  }
}
