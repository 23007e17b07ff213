package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The slots in which handlers run, as many as the concurrency. A single slot holds several calls if
 * its runner takes them at once; the runner makes them in their order. Guarded by the inbox's lock.
 */
final class Slots<T> {
  private final @Nullable HandlerCall<T>[] calls;
  private final int[] free;
  private final int concurrency;
  private final boolean interrupts;
  private @Nullable Run<T> run; // several messages in the only slot
  private int taken;
  private int messages;
  private int overdue;

  @SuppressWarnings("unchecked")
  Slots(int concurrency, int maxTaken, boolean interrupts) {
    int size = Math.max(concurrency, maxTaken);
    this.calls = (HandlerCall<T>[]) new HandlerCall<?>[size];
    this.free = new int[size];
    this.concurrency = concurrency;
    this.interrupts = interrupts;
    for (int slot = 0; slot < size; slot++) {
      free[slot] = slot;
    }
  }

  /** Puts messages, which are handled one after the other, into the only slot. */
  void take(Run<T> several) {
    run = several;
  }

  @Nullable
  Run<T> run() {
    return run;
  }

  /** Frees the slot of a run whose messages are gone from it. */
  void freeRun() {
    run = null;
  }

  /** Takes notice that a call that was cut off has returned. */
  void returned(HandlerCall<T> call) {
    if (call.overdue) {
      overdue--;
    }
  }

  /** Puts a call, which the current thread is about to make, into a slot. */
  void take(HandlerCall<T> call) {
    messages += call.size();
    call.slot = concurrency == 1 ? taken : free[taken];
    taken++;
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
    free[--taken] = call.slot;
    call.slot = -1;
    call.thread = null;
    messages -= call.size();
    returned(call);
    return true;
  }

  /** Marks a call that was cut off: it keeps its slot, and its thread is interrupted. */
  void cut(HandlerCall<T> call) {
    call.overdue = true;
    overdue++;
    Thread thread = call.thread();
    if (thread != null) {
      thread.interrupt();
    }
  }

  int freeCount() {
    return concurrency - busy();
  }

  int busy() {
    return Math.min(run == null ? taken : taken + 1, concurrency);
  }

  /** Returns the calls that are neither over nor overdue, or whose outcome is on its way. */
  int running() {
    return busy() - overdue + (run != null && run.isSettling() ? 1 : 0);
  }

  /** Returns the number of messages in slots. */
  int messages() {
    return run == null ? messages : messages + run.size();
  }

  void forEach(Consumer<? super HandlerCall<T>> action) {
    if (run != null) {
      run.forEach(action);
    }
    for (HandlerCall<T> call : calls) {
      if (call != null) {
        action.accept(call);
      }
    }
  }

  /** Returns the earliest deadline of the calls that are neither over nor overdue. */
  long earliestDeadline() {
    long[] earliest = {HandlerCall.NEVER};
    forEach(call -> {
      if (!call.overdue && call.isRunning()) {
        earliest[0] = Math.min(earliest[0], call.deadlineNanos());
      }
    });
    return earliest[0];
  }

  boolean none(Predicate<? super HandlerCall<T>> condition) {
    boolean[] found = {false};
    forEach(call -> found[0] |= condition.test(call));
    return !found[0];
  }

  /** Returns the calls besides one that its runner took together with it, the last one first. */
  List<HandlerCall<T>> others(HandlerCall<T> call, int maxTaken) {
    List<HandlerCall<T>> others = new ArrayList<>();
    for (int i = maxTaken - 1; maxTaken > 1 && i >= 0; i--) {
      if (calls[i] != null && calls[i] != call) {
        others.add(calls[i]);
      }
    }
    return others;
  }

  /** Returns the first delivery whose call has not begun; null without any. */
  @Nullable
  Fetched<T> firstNotBegun() {
    Fetched<T> inRun = run == null ? null : run.following();
    for (int slot = 0; inRun == null && taken > 0 && slot < calls.length; slot++) {
      HandlerCall<T> call = calls[slot];
      for (int i = 0; call != null && i < call.size(); i++) {
        if (call.get(i).isWaiting()) {
          return call.get(i);
        }
      }
    }
    return inRun;
  }

  /** Returns the deliveries whose calls have not begun, in their order. */
  List<Fetched<T>> notBegun() {
    List<Fetched<T>> waiting = new ArrayList<>();
    forEach(call -> {
      for (int i = 0; i < call.size(); i++) {
        if (call.get(i).isWaiting()) {
          waiting.add(call.get(i));
        }
      }
    });
    return waiting;
  }

  /** Counts what runners have done without the lock. */
  Look look() {
    Look look = new Look();
    forEach(call -> {
      for (int i = 0; i < call.size(); i++) {
        look.add(call.get(i));
      }
    });
    return look;
  }

  /** The deliveries in slots that have ended and are not counted yet, or have not begun. */
  static final class Look {
    private final int[] endings = new int[Ending.values().length];
    private int waiting;

    /** Runners change it meanwhile: its stage is read once, so that it is counted once. */
    private void add(Fetched<?> delivery) {
      Fetched.Stage stage = delivery.stage();
      if (stage == Fetched.Stage.WAITING) {
        waiting++;
        return;
      }
      Ending ending = stage == Fetched.Stage.ENDED && !delivery.recorded ? delivery.ending() : null;
      if (ending != null) {
        endings[ending.index]++;
      }
    }

    int count(Ending ending) {
      return endings[ending.index];
    }

    int ended() {
      return Arrays.stream(endings).sum();
    }

    /** Returns how many are in slots and not with a handler. */
    int notRunning() {
      return ended() + waiting;
    }

    int waiting() {
      return waiting;
    }
  }
}
