package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/**
 * One call of a handler, with the slot that it occupies until the handler returns: of one message,
 * or of a batch.
 *
 * @param <T> the payload's type
 */
abstract class HandlerCall<T> {
  /** A deadline that never passes. */
  static final long NEVER = Long.MAX_VALUE;

  final RunningSubscription<T> owner;

  private volatile long deadline; // 0 for none, since to write it costs as much as to start it

  /** Whether the engine has applied this request's acknowledgement; its slot's thread only. */
  boolean accepted;

  // All below are guarded by the inbox's lock.
  int slot = -1;
  boolean overdue; // timed out or interrupted, and not yet returned
  boolean alone;
  int stopsInside; // calls of stop that this handler is inside of
  int stopsOfOwn; // of these: stops of its own subscription

  @Nullable
  Thread thread; // runs a blocking handler

  HandlerCall(RunningSubscription<T> owner) {
    this.owner = owner;
  }

  /** Returns when the time for the handler ends, on the subscription's clock. */
  long deadlineNanos() {
    long set = deadline;
    return set == 0 ? NEVER : set;
  }

  void setDeadline(long deadline) {
    this.deadline = deadline;
  }

  abstract int size();

  abstract Fetched<T> get(int index);

  /** Returns what the handler made of one of the messages; null if it succeeded. */
  @Nullable
  Throwable errorOf(Fetched<T> delivery, @Nullable Throwable thrown) {
    return thrown;
  }

  /** Begins the call; false if a stop has taken back all that it was to be made with. */
  boolean begin() {
    boolean begun = false;
    for (int i = 0; i < size(); i++) {
      begun |= get(i).begin();
    }
    return begun;
  }

  /** Returns whether any of the messages was ended before the handler returned. */
  boolean isCut() {
    for (int i = 0; i < size(); i++) {
      if (get(i).isCut()) {
        return true;
      }
    }
    return false;
  }

  /** Returns whether the handler waits for a stop of its own subscription, or for any stop. */
  boolean isInStop(boolean any) {
    return (any ? stopsInside : stopsOfOwn) > 0;
  }

  /** Returns whether any of the messages is still to be handled. */
  boolean isRunning() {
    for (int i = 0; i < size(); i++) {
      if (get(i).isRunning()) {
        return true;
      }
    }
    return false;
  }
}
