package dev.mullion.messaging;

import dev.mullion.messaging.DeadLetterBox.Letter;
import dev.mullion.messaging.JobStorage.Burial;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Makes, reads and drops the dead letters of a queue. */
final class QueueLetters {
  private final JobQueue queue;
  private final EmbeddedBroker broker;
  private final MessagingClock clock;
  private final @Nullable JobStorage storage;
  private final DeadLetterBox box = new DeadLetterBox(); // guarded by the queue's lock
  private final Alarm alarm;

  QueueLetters(JobQueue queue, EmbeddedBroker broker, @Nullable JobStorage storage) {
    this.queue = queue;
    this.broker = broker;
    this.clock = broker.clock();
    this.storage = storage;
    this.alarm = new Alarm(clock, this::sweepLater);
  }

  // ---- under the queue's lock

  void restore(List<Long> numbers) {
    box.restore(numbers);
    queue.later(this::sweepLater);
  }

  /** Makes a dead letter of a job. */
  void bury(QueuedJob job, DeadLetter.Reason reason, String error, int deliveries) {
    JobStorage store = storage;
    if (store != null) {
      queue.later(() -> buryStored(job, reason, error, deliveries, store));
      return;
    }
    put(letter(job, reason, error, deliveries));
  }

  /** Makes a dead letter of a message that is no job; returns what its sender gets. */
  CompletionStage<Void> buryNew(QueuedJob job, DeadLetter.Reason reason) {
    Letter letter = letter(job, reason, "", 0);
    JobStorage store = storage;
    DeadLetter content = letter.letter();
    if (store == null || content == null) {
      put(letter);
      return Parcel.DONE;
    }
    CompletableFuture<Void> done = new CompletableFuture<>();
    queue.later(() -> Stages.follow(
        done,
        () -> store.apply(
            List.of(store.addLetter(letter.number(), job.address(), content)),
            error -> putStored(letter, error))));
    return done;
  }

  private Letter letter(QueuedJob job, DeadLetter.Reason reason, String error, int deliveries) {
    Instant died = Instant.ofEpochMilli(clock.currentTimeMillis());
    DeadLetter content =
        new DeadLetter(job.message(), queue.route().name(), reason, error, deliveries, died);
    return new Letter(box.nextNumber(), broker.ages().millis(), job.address(), content);
  }

  private void put(Letter letter) {
    box.put(letter);
    trim();
    if (box.size() == 1) {
      queue.later(() -> sweepAt(letter.diedMillis()));
    }
  }

  /** Drops the oldest beyond the greatest number. */
  void trim() {
    List<Long> dropped = box.trim(queue.route().maxDeadLetters());
    JobStorage store = storage;
    if (store != null && !dropped.isEmpty()) {
      queue.later(() -> store.apply(store.removeLetters(dropped)));
    }
  }

  boolean remove(Letter letter) {
    return box.remove(letter.number());
  }

  void clear() {
    box.trim(0);
  }

  long count() {
    return box.size();
  }

  long dropped() {
    return box.dropped();
  }

  // ---- under no lock

  /** Moves a job to the dead letters of the store; it is seen here once that is on disk. */
  CompletionStage<Void> buryStored(
      QueuedJob job, DeadLetter.Reason reason, String error, int deliveries, JobStorage store) {
    long number = box.nextNumber();
    long died = clock.currentTimeMillis();
    Burial burial = new Burial(reason, error, deliveries, died);
    return store.apply(
        List.of(store.bury(job, number, burial)),
        failure -> putStored(new Letter(number, broker.ages().millis(), null, null), failure));
  }

  private void putStored(Letter letter, @Nullable StoreException failure) {
    if (failure == null) {
      queue.change(false, () -> put(new Letter(letter.number(), letter.diedMillis(), null, null)));
    }
  }

  /** Returns all letters, oldest first, without what only the store has. */
  List<Letter> all() {
    List<Letter> letters = new ArrayList<>();
    queue.change(true, () -> letters.addAll(box.all()));
    return letters;
  }

  /** Returns a letter with its content; null if it is gone meanwhile. */
  @Nullable
  Letter read(Letter letter) throws MessagingException {
    JobStorage store = storage;
    if (store == null || letter.letter() != null) {
      return letter;
    }
    try {
      Store.StoredLetter stored = store.readLetter(letter.number());
      DeadLetter content = stored.letter();
      long died = content.died().toEpochMilli();
      return new Letter(letter.number(), died, stored.address(), content);
    } catch (MessagingException e) {
      if (!contains(letter)) {
        return null;
      }
      throw e;
    }
  }

  private boolean contains(Letter letter) {
    boolean[] found = {false};
    queue.change(true, () -> found[0] = box.contains(letter.number()));
    return found[0];
  }

  /** Deletes a letter; the stage has false if it was gone. */
  CompletionStage<Boolean> delete(Letter letter) {
    boolean[] removed = {false};
    queue.change(true, () -> removed[0] = box.remove(letter.number()));
    JobStorage store = storage;
    return removed[0] && store != null
        ? store.apply(List.of(store.removeLetter(letter.number()))).thenApply(nothing -> true)
        : CompletableFuture.completedStage(removed[0]);
  }

  /** Drops letters that are too old, on a thread that may read from disk. */
  void sweepLater() {
    if (storage == null) {
      sweep();
    } else {
      broker.runInBackground(this::sweep);
    }
  }

  private void sweep() {
    for (Letter oldest = oldest(); oldest != null; oldest = oldest()) {
      long died = oldest.diedMillis();
      if (died == DeadLetterBox.UNKNOWN) {
        died = readTime(oldest);
      }
      if (broker.ages().millis() - died < Times.millis(queue.route().deadLetterAge())) {
        sweepAt(died);
        return;
      }
      drop(oldest);
    }
  }

  private @Nullable Letter oldest() {
    List<Letter> oldest = new ArrayList<>(1);
    queue.change(false, () -> {
      Letter first = box.oldest();
      if (first != null) {
        oldest.add(first);
      }
    });
    return oldest.isEmpty() ? null : oldest.get(0);
  }

  /** Returns when a letter died; one that cannot be read, or is of the future, is as new. */
  private long readTime(Letter letter) {
    long died = broker.ages().millis();
    try {
      Letter read = read(letter);
      if (read != null) {
        died = Math.min(died, read.diedMillis());
      }
    } catch (MessagingException e) {
      LimitedLog.warn("letters", "a dead letter of " + queue.route().id() + " is unreadable", e);
    }
    long known = died;
    queue.change(false, () -> box.dated(letter.number(), known));
    return died;
  }

  private void drop(Letter letter) {
    JobStorage store = storage;
    queue.change(false, () -> {
      if (box.drop(letter.number()) && store != null) {
        queue.later(() -> store.apply(List.of(store.removeLetter(letter.number()))));
      }
    });
  }

  private void sweepAt(long died) {
    Duration age = queue.route().deadLetterAge();
    long millis = Math.max(1, died + Times.millis(age) - broker.ages().millis());
    alarm.at(Times.after(Duration.ofMillis(millis), clock));
  }

  void end() {
    alarm.cancel();
  }
}
