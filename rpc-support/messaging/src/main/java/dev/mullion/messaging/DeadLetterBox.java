package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** The dead letters of a queue, oldest first. Guarded by its queue's lock. */
final class DeadLetterBox {
  /** The time of a letter that was not read yet. */
  static final long UNKNOWN = Long.MIN_VALUE;

  private final TreeMap<Long, Letter> letters = new TreeMap<>();
  private final AtomicLong last = new AtomicLong();
  private long dropped;

  /** Returns a number for the next letter; needs no lock. */
  long nextNumber() {
    return last.incrementAndGet();
  }

  /** Adds what the store has. */
  void restore(List<Long> numbers) {
    for (long number : numbers) {
      letters.put(number, new Letter(number, UNKNOWN, null, null));
      last.accumulateAndGet(number, Math::max);
    }
  }

  void put(Letter letter) {
    letters.put(letter.number, letter);
  }

  boolean contains(long number) {
    return letters.containsKey(number);
  }

  /** Removes a letter; false if it is not there any more. */
  boolean remove(long number) {
    return letters.remove(number) != null;
  }

  /** Removes the oldest down to a number, and counts them as dropped; returns their numbers. */
  List<Long> trim(int most) {
    List<Long> numbers = new ArrayList<>();
    while (letters.size() > most) {
      numbers.add(letters.pollFirstEntry().getKey());
      dropped++;
    }
    return numbers;
  }

  /** Removes a letter that is too old; false if it is not there any more. */
  boolean drop(long number) {
    boolean removed = remove(number);
    if (removed) {
      dropped++;
    }
    return removed;
  }

  @Nullable
  Letter oldest() {
    return letters.isEmpty() ? null : letters.firstEntry().getValue();
  }

  /** Records when a letter died, once it was read. */
  void dated(long number, long diedMillis) {
    letters.computeIfPresent(
        number, (key, letter) -> new Letter(number, diedMillis, letter.address, letter.letter));
  }

  List<Letter> all() {
    return new ArrayList<>(letters.values());
  }

  int size() {
    return letters.size();
  }

  /** Returns how many were dropped. */
  long dropped() {
    return dropped;
  }

  /**
   * One dead letter.
   *
   * @param address where its message was sent to; null if only the store has the letter
   */
  record Letter(
      long number,
      long diedMillis,
      @Nullable String address,
      @Nullable DeadLetter letter) {}
}
