package dev.mullion.messaging;

import dev.mullion.messaging.Store.Step;
import dev.mullion.messaging.engine.Route;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One queue's part of the store: turns what happens to its jobs into steps. */
final class JobStorage {
  private final Commits commits;
  private final MessagingClock clock;
  private final int queue;

  JobStorage(Commits commits, MessagingClock clock, int queue) {
    this.commits = commits;
    this.clock = clock;
    this.queue = queue;
  }

  CompletionStage<Void> apply(List<Step> steps) {
    return apply(steps, error -> {});
  }

  /** Applies the steps; the consumer gets the failure or null before the stage completes. */
  CompletionStage<Void> apply(
      List<Step> steps, Consumer<? super @Nullable StoreException> applied) {
    return commits.apply(steps, applied);
  }

  /** Applies the steps by which a job is accepted; it is visible when the stage completes. */
  CompletionStage<Void> commit(QueuedJob job, List<Step> steps) {
    return apply(steps, error -> job.queue().committed(job, error == null));
  }

  Step declare(Route.Queue declaration) {
    return new Step.Declare(new Store.StoredQueue(queue, declaration));
  }

  Step delete() {
    return new Step.DeleteQueue(queue);
  }

  Step add(QueuedJob job) {
    return new Step.AddJob(queue, stored(job), job.address(), job.message());
  }

  Step update(QueuedJob job) {
    return new Step.UpdateJob(queue, stored(job));
  }

  Step remove(QueuedJob job) {
    return new Step.RemoveJob(queue, job.number);
  }

  Step bury(QueuedJob job, long letter, Burial burial) {
    return new Step.BuryJob(
        queue,
        job.number,
        letter,
        burial.reason(),
        burial.error(),
        burial.deliveryCount(),
        burial.diedMillis());
  }

  Step addLetter(long letter, String address, DeadLetter what) {
    return new Step.AddDeadLetter(queue, letter, address, what);
  }

  Step removeLetter(long letter) {
    return new Step.RemoveDeadLetter(queue, letter);
  }

  List<Step> removeLetters(List<Long> letters) {
    List<Step> steps = new ArrayList<>();
    letters.forEach(letter -> steps.add(removeLetter(letter)));
    return steps;
  }

  Store.Stored read(long number) throws MessagingException {
    return commits.store.readJob(queue, number);
  }

  Store.StoredLetter readLetter(long letter) throws MessagingException {
    return commits.store.readDeadLetter(queue, letter);
  }

  void begun(QueuedJob job) {
    commits.store.begun(queue, stored(job));
  }

  void ended(QueuedJob job) {
    commits.store.ended(queue, job.number);
  }

  private Store.Job stored(QueuedJob job) {
    return new Store.Job(
        job.number,
        job.failures(),
        job.losses(),
        Times.toStored(job.due, clock),
        Times.toStored(job.expires, clock),
        job.bytes,
        job.key);
  }

  /** Why and when a job dies. */
  record Burial(DeadLetter.Reason reason, String error, int deliveryCount, long diedMillis) {}
}
