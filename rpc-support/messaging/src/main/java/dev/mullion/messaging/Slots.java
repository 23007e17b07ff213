package dev.mullion.messaging;

import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The slots in which handlers run, as many as the concurrency. Guarded by the inbox's lock. */
final class Slots<T> {
  private final @Nullable HandlerCall<T>[] calls;
  private final int[] free;
  private final boolean interrupts;
  private int freeCount;
  private int messages;
  private int overdue;

  @SuppressWarnings("unchecked")
  Slots(int concurrency, boolean interrupts) {
    this.calls = (HandlerCall<T>[]) new HandlerCall<?>[concurrency];
    this.free = new int[concurrency];
    this.interrupts = interrupts;
    for (int slot = 0; slot < concurrency; slot++) {
      free[slot] = concurrency - 1 - slot;
    }
    this.freeCount = concurrency;
  }

  /** Puts a call, which the current thread is about to make, into a slot. */
  void take(HandlerCall<T> call) {
    int size = call.size();
    for (int i = 0; i < size; i++) {
      call.get(i).taken();
    }
    messages += size;
    call.slot = free[--freeCount];
    calls[call.slot] = call;
    attach(call);
  }

  /** Makes the current thread the one that a timeout interrupts. */
  void attach(HandlerCall<T> call) {
    call.thread = interrupts ? Thread.currentThread() : null;
  }

  /** Frees the slot of a call; false if that was done already. */
  boolean free(HandlerCall<T> call) {
    if (call.slot < 0) {
      return false; // a stage that completed twice
    }
    calls[call.slot] = null;
    free[freeCount++] = call.slot;
    call.slot = -1;
    call.thread = null;
    messages -= call.size();
    if (call.overdue) {
      overdue--;
    }
    return true;
  }

  /** Marks a call that was cut off: it keeps its slot, and its thread is interrupted. */
  void cut(HandlerCall<T> call) {
    call.overdue = true;
    overdue++;
    if (call.thread != null) {
      call.thread.interrupt();
    }
  }

  int freeCount() {
    return freeCount;
  }

  int busy() {
    return calls.length - freeCount;
  }

  /** Returns the calls that are neither over nor overdue. */
  int running() {
    return busy() - overdue;
  }

  /** Returns the number of messages in slots. */
  int messages() {
    return messages;
  }

  void forEach(Consumer<HandlerCall<T>> action) {
    for (HandlerCall<T> call : calls) {
      if (call != null) {
        action.accept(call);
      }
    }
  }

  /** Returns the earliest deadline of the calls that are neither over nor overdue. */
  long earliestDeadline() {
    long earliest = HandlerCall.NEVER;
    for (HandlerCall<T> call : calls) {
      if (call != null && !call.overdue) {
        earliest = Math.min(earliest, call.deadline);
      }
    }
    return earliest;
  }

  boolean none(Predicate<HandlerCall<T>> condition) {
    for (HandlerCall<T> call : calls) {
      if (call != null && condition.test(call)) {
        return false;
      }
    }
    return true;
  }

  /** Counts the deliveries that have ended and are not counted yet: their slots are not free. */
  int countEnded(long @Nullable [] byEnding) {
    int count = 0;
    for (HandlerCall<T> call : calls) {
      for (int i = 0; call != null && i < call.size(); i++) {
        Ending ending = call.get(i).recorded ? null : call.get(i).ending();
        if (ending != null) {
          count++;
          if (byEnding != null) {
            byEnding[ending.index]++;
          }
        }
      }
    }
    return count;
  }
}
