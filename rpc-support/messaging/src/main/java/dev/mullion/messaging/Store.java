package dev.mullion.messaging;

import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Where a broker keeps what must outlive its process. A broker in memory has none. Changes that
 * belong together are in one call, and are on disk together or not at all; calls are applied in the
 * order in which they are made, by one committing thread, several in one commit.
 *
 * <p>No method waits for the disk, except {@link #load}, {@link #close} and the reads. What waits
 * to be committed is bounded only by what the callers may have pending ({@code maxPending}, and the
 * credit of workers): a store never blocks the caller of {@link #apply}.
 */
interface Store extends AutoCloseable {

  /** A job as it is kept in memory; its message is read when it is delivered. */
  record Job(
      long number,
      int failures,
      int losses,
      long dueMillis,
      long expiresMillis,
      int bytes,
      @Nullable String key) {}

  /** What the store holds of one queue or group when it is opened, in order of numbers. */
  record Contents(StoredQueue queue, List<Job> jobs, List<Long> deadLetters) {}

  /** A declared queue or group, and the number by which its entries refer to it. */
  record StoredQueue(int number, dev.mullion.messaging.engine.Route.Queue declaration) {}

  /** One step of a change. */
  sealed interface Step {
    /** Declares a queue or replaces its declaration. */
    record Declare(StoredQueue queue) implements Step {}

    /** Deletes a queue with all that it holds. */
    record DeleteQueue(int queue) implements Step {}

    /** Adds a job with its message and the address it was sent to. */
    record AddJob(int queue, Job job, String address, Message<byte[]> message) implements Step {}

    /** Replaces what is known of a job besides its message: counts and due time. */
    record UpdateJob(int queue, Job job) implements Step {}

    /** Removes a job. */
    record RemoveJob(int queue, long number) implements Step {}

    /**
     * Moves a job to the dead letters, with its message and address, which the caller need not have
     * in memory. No effect if there is no such job.
     *
     * @param letter the dead letter's number; numbers rise with time
     */
    record BuryJob(
        int queue,
        long number,
        long letter,
        DeadLetter.Reason reason,
        String error,
        int deliveryCount,
        long diedMillis)
        implements Step {}

    /** Adds a dead letter, with the address its message was sent to; numbers rise with time. */
    record AddDeadLetter(int queue, long number, String address, DeadLetter letter)
        implements Step {}

    /** Removes a dead letter. */
    record RemoveDeadLetter(int queue, long number) implements Step {}
  }

  /** A stored message with the address it was sent to. */
  record Stored(String address, Message<byte[]> message) {}

  /** A stored dead letter with the address its message was sent to. */
  record StoredLetter(String address, DeadLetter letter) {}

  /**
   * Returns what the store held when it was opened; called once. A job whose handler had begun when
   * the process died has one loss more. Due times lie no further ahead than the queue's delay after
   * that many failures, whatever the clock showed before.
   */
  List<Contents> load() throws MessagingException;

  /**
   * Applies the steps together. The stage completes on the committing thread once they are on disk,
   * and fails if they are not: then none of them is, and the store takes no further change. Steps
   * for a queue that is not declared, or was deleted, have no effect.
   */
  CompletionStage<Void> apply(List<Step> steps);

  /**
   * Reads a job's message; a job that was applied is seen at once, before its commit.
   *
   * @throws StoreException if there is no such job, or it cannot be read
   */
  Stored readJob(int queue, long number) throws MessagingException;

  /**
   * Reads a dead letter; one that was applied is seen at once, before its commit.
   *
   * @throws StoreException if there is no such letter, or it cannot be read
   */
  StoredLetter readDeadLetter(int queue, long number) throws MessagingException;

  /**
   * Marks that a job's handler is about to begin, so that the death of this process is counted. The
   * mark survives the process at once, and the machine only by chance. Give the job with the counts
   * of this delivery: {@link #load} counts a loss only if the stored counts are still the same.
   */
  void begun(int queue, Job job);

  /**
   * Removes that mark; no effect if there is none. Call it when the handler has ended: for a job
   * that is removed, right after {@link #apply}; for one that failed, when its new counts are on
   * disk, so that the death of the process in between loses no count.
   */
  void ended(int queue, long number);

  /** Commits what was applied, and closes; no mark stays. */
  @Override
  void close();
}
