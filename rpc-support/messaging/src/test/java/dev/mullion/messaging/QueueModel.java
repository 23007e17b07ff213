package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a queue does, in the simplest way: one sorted map, searched from the front. Jobs are their
 * texts; the number of a job is its place in the order.
 */
final class QueueModel {
  static final long NEVER = Long.MAX_VALUE;

  final TreeMap<Long, Job> waiting = new TreeMap<>();
  final List<Job> delayed = new ArrayList<>();
  final Map<String, Job> held = new LinkedHashMap<>();
  final List<Parked> parked = new ArrayList<>();
  final List<Letter> letters = new ArrayList<>();
  final boolean ordered;
  final int capacity;
  final Overflow overflow;
  final int maxDeadLetters;
  long now;
  long numbers;
  long dropped;
  long expired;
  long lettersDropped;
  long credit;
  final List<String> handedOut = new ArrayList<>();

  QueueModel(boolean ordered, int capacity, Overflow overflow, int maxDeadLetters) {
    this.ordered = ordered;
    this.capacity = capacity;
    this.overflow = overflow;
    this.maxDeadLetters = maxDeadLetters;
  }

  /** A job; {@code number} is its place in the order. */
  static final class Job {
    final String text;
    final @Nullable String key;
    final long timeToLive;
    long number;
    long expires;
    int failures;
    int losses;
    boolean begun;
    long due;

    Job(String text, @Nullable String key, long timeToLive) {
      this.text = text;
      this.key = key;
      this.timeToLive = timeToLive;
    }
  }

  record Parked(Job job, long deadline) {}

  record Letter(Job job, DeadLetter.Reason reason, int count) {}

  boolean hasRoom() {
    return capacity == 0 || waiting.size() + delayed.size() < capacity;
  }

  /** Returns "accepted", "failed" or "parked". */
  String push(Job job, long sendTimeout) {
    job.expires = job.timeToLive == NEVER ? NEVER : now + job.timeToLive;
    if (hasRoom() && parked.isEmpty()) {
      accept(job);
      return "accepted";
    }
    switch (overflow) {
      case BLOCK -> {
        parked.add(new Parked(job, now + sendTimeout));
        return "parked";
      }
      case FAIL -> {
        return "failed";
      }
      case DROP_NEWEST -> {
        dropped++;
        bury(job, DeadLetter.Reason.OVERFLOW, 0);
        return "accepted";
      }
      default -> {
        while (!hasRoom()) {
          dropped++;
          Job oldest = waiting.isEmpty() ? firstDue() : waiting.pollFirstEntry().getValue();
          delayed.remove(oldest);
          bury(oldest, DeadLetter.Reason.OVERFLOW, oldest.failures + oldest.losses);
        }
        accept(job);
        return "accepted";
      }
    }
  }

  private Job firstDue() {
    Job first = delayed.get(0);
    for (Job job : delayed) {
      if (job.due < first.due || (job.due == first.due && job.number < first.number)) {
        first = job;
      }
    }
    return first;
  }

  void accept(Job job) {
    job.number = ++numbers;
    waiting.put(job.number, job);
    pump();
  }

  void pump() {
    while (true) {
      do {
        while (!parked.isEmpty() && hasRoom()) {
          Job job = parked.remove(0).job;
          job.number = ++numbers;
          waiting.put(job.number, job);
        }
      } while (expire());
      Job next = credit == 0 ? null : eligible();
      if (next == null) {
        return;
      }
      waiting.remove(next.number);
      credit--;
      next.begun = false;
      held.put(next.text, next);
      handedOut.add(next.text);
    }
  }

  private @Nullable Job eligible() {
    Set<String> taken = new HashSet<>();
    if (ordered) {
      held.values().forEach(job -> taken.add(String.valueOf(job.key)));
      delayed.forEach(job -> taken.add(String.valueOf(job.key)));
    }
    for (Job job : waiting.values()) {
      if (job.key == null || !taken.contains(job.key)) {
        return job;
      }
    }
    return null;
  }

  void bury(Job job, DeadLetter.Reason reason, int count) {
    letters.add(new Letter(job, reason, count));
    while (letters.size() > maxDeadLetters) {
      letters.remove(0);
      lettersDropped++;
    }
  }

  void acknowledge(String text) {
    held.remove(text);
    pump();
  }

  void redeliver(String text, long delay) {
    Job job = requireNonNull(held.remove(text));
    job.failures++;
    if (delay == 0) {
      waiting.put(job.number, job);
    } else {
      job.due = now + delay;
      delayed.add(job);
    }
    pump();
  }

  void giveBack(String text, boolean counted) {
    Job job = requireNonNull(held.remove(text));
    job.losses += counted ? 1 : 0;
    waiting.put(job.number, job);
    pump();
  }

  void settleBury(String text, DeadLetter.Reason reason) {
    Job job = requireNonNull(held.remove(text));
    boolean made = job.begun || reason != DeadLetter.Reason.DELIVERY_LIMIT;
    bury(job, reason, job.failures + job.losses + (made ? 1 : 0));
    pump();
  }

  /** Lets time pass, one event after the other. */
  void advance(long millis, List<String> timedOut) {
    long end = now + millis;
    for (long next = nextEvent(); next <= end; next = nextEvent()) {
      now = Math.max(now, next);
      for (Parked send : List.copyOf(parked)) {
        if (send.deadline <= now) {
          parked.remove(send);
          timedOut.add(send.job.text);
        }
      }
      for (Job job : List.copyOf(delayed)) {
        if (job.due <= now) {
          delayed.remove(job);
          waiting.put(job.number, job);
        }
      }
      pump();
    }
    now = end;
  }

  /** Buries what has expired, also what comes back later than that; returns whether it did. */
  private boolean expire() {
    List<Job> all = new ArrayList<>(waiting.values());
    all.addAll(delayed);
    all.removeIf(job -> job.expires > now);
    all.sort(Comparator.comparingLong((Job job) -> job.expires).thenComparing(job -> job.number));
    for (Job job : all) {
      waiting.remove(job.number);
      delayed.remove(job);
      expired++;
      bury(job, DeadLetter.Reason.EXPIRED, job.failures + job.losses);
    }
    return !all.isEmpty();
  }

  private long nextEvent() {
    long next = NEVER;
    for (Parked send : parked) {
      next = Math.min(next, send.deadline);
    }
    for (Job job : delayed) {
      next = Math.min(next, Math.min(job.due, job.expires));
    }
    for (Job job : waiting.values()) {
      next = Math.min(next, job.expires);
    }
    return next == NEVER ? NEVER : Math.max(next, 0);
  }

  long redrive(int max) {
    long count = 0;
    for (Letter letter : List.copyOf(letters)) {
      if (count == max || !hasRoom() || !parked.isEmpty()) {
        break;
      }
      letters.remove(letter);
      Job job = new Job(letter.job.text, letter.job.key, letter.job.timeToLive);
      job.expires = job.timeToLive == NEVER ? NEVER : now + job.timeToLive;
      accept(job);
      count++;
    }
    return count;
  }
}
