package dev.mullion.messaging;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
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

  private static final VarHandle DEADLINE;

  static {
    try {
      DEADLINE = MethodHandles.lookup().findVarHandle(HandlerCall.class, "deadline", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  final RunningSubscription<T> owner;

  @SuppressWarnings("unused") // by DEADLINE
  private long deadline; // 0 for none

  /** Whether the engine has applied this request's acknowledgement; its slot's thread only. */
  boolean accepted;

  // All below are guarded by the inbox's lock.
  int slot = -1; // in a run: the index there
  boolean overdue; // timed out or interrupted, and not yet returned
  boolean alone;
  short stopsInside; // calls of stop that this handler is inside of
  short stopsOfOwn; // of these: stops of its own subscription

  @Nullable
  Thread thread; // runs a blocking handler

  HandlerCall(RunningSubscription<T> owner) {
    this.owner = owner;
  }

  /** Returns when the time for the handler ends, on the subscription's clock. */
  long deadlineNanos() {
    long set = (long) DEADLINE.getVolatile(this);
    return set == 0 ? NEVER : set;
  }

  void setDeadline(long deadline) {
    DEADLINE.setVolatile(this, deadline);
  }

  /** Sets the deadline before the call begins, which makes it visible. */
  void prepareDeadline(long deadline) {
    DEADLINE.setOpaque(this, deadline);
  }

  boolean hasDeadline() {
    return deadline != 0;
  }

  /** Returns the thread that a timeout interrupts; under the inbox's lock. */
  @Nullable
  Thread thread() {
    return thread;
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
