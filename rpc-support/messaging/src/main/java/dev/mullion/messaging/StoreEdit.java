package dev.mullion.messaging;

import java.time.Instant;

/** One step of a change, encoded. */
@SuppressWarnings("ArrayRecordComponent") // never compared
sealed interface StoreEdit {
  /** Returns the queue's number. */
  int queue();

  /** Declares a queue or replaces its declaration. */
  record Declare(int queue, byte[] bytes) implements StoreEdit {}

  /** Deletes a queue with all that it holds. */
  record Delete(int queue) implements StoreEdit {}

  /** Adds an entry. */
  record Put(int queue, long number, StoreMaps.Kind kind, byte[] bytes) implements StoreEdit {}

  /** Replaces an entry, if there is one. */
  record Replace(int queue, long number, StoreMaps.Kind kind, byte[] bytes) implements StoreEdit {}

  /** Makes a dead letter of a job, if there is one. */
  record Bury(
      int queue,
      long number,
      long letter,
      DeadLetter.Reason reason,
      String error,
      int deliveryCount,
      Instant died)
      implements StoreEdit {}

  /** Removes an entry. */
  record Remove(int queue, long number, StoreMaps.Kind kind) implements StoreEdit {}
}
