package dev.mullion.messaging;

import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Predicate;

/**
 * The dead letters of one queue or group, for operators. A predicate is called on a thread that may
 * block; if it throws, the stage fails and the letters not yet reached stay.
 */
public interface DeadLetters {

  /** Returns how many there are. */
  CompletionStage<Long> count();

  /** Returns the oldest, without taking them. */
  CompletionStage<List<DeadLetter>> peek(int max);

  /**
   * Puts those that match back into their own queue, oldest first, with a count of 0; a group's
   * letters never touch its topic.
   *
   * @param max the greatest number to put back
   * @return how many were put back
   */
  CompletionStage<Long> redrive(int max, Predicate<DeadLetter> which);

  /** Deletes those that match; returns how many. */
  CompletionStage<Long> purge(Predicate<DeadLetter> which);
}
