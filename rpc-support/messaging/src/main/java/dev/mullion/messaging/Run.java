package dev.mullion.messaging;

import dev.mullion.messaging.Fetched.Stage;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Messages that the only runner of a subscription took at once and handles in their order. One word
 * tells how far it is. So a message costs one compare-and-set, which acknowledges the one before
 * and begins the next; to take back or cut off changes the same word.
 *
 * <pre>{@code
 *  +-------------+----------------+-------------------------------+
 *  | end, 32 bit | begun, 30 bit  | phase of the last one, 2 bit  |
 *  +-------------+----------------+-------------------------------+
 *   message 0 .. begun - 2: over | begun - 1: phase | begun .. end - 1: waiting | not here any more
 * }</pre>
 */
final class Run<T> {
  private static final int RUNNING = 0;
  private static final int ENDED = 1;
  private static final int TIMED_OUT = 2;
  private static final int INTERRUPTED = 3;
  private static final Stage[] STAGES = {
    Stage.RUNNING, Stage.ENDED, Stage.TIMED_OUT, Stage.INTERRUPTED
  };
  private static final VarHandle WORD;
  private static final VarHandle SETTLED;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      WORD = lookup.findVarHandle(Run.class, "word", long.class);
      SETTLED = lookup.findVarHandle(Run.class, "settled", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private @Nullable Thread thread;
  private List<Fetched<T>> messages;
  private volatile long word;

  /** Of those begun, how many are passed on. */
  @SuppressWarnings("unused") // by SETTLED, which only the runner changes
  private int settled;

  private boolean uneven; // by the runner, or under the inbox's lock: some are not acknowledged
  private int counted; // guarded by the inbox's lock: those before are counted, and gone from here

  Run(List<Fetched<T>> messages, Thread thread) {
    this.messages = messages;
    this.thread = thread;
    for (int i = 0; i < messages.size(); i++) {
      messages.get(i).enter(this, i);
    }
    this.word = word(messages.size(), 0, ENDED);
  }

  private static long word(int end, int begun, int phase) {
    return (long) end << 32 | (long) begun << 2 | phase;
  }

  private static int end(long word) {
    return (int) (word >>> 32);
  }

  private static int begun(long word) {
    return (int) word >>> 2;
  }

  private static int phase(long word) {
    return (int) word & 3;
  }

  // ---- by the runner

  /** Returns the message that {@link #next} would begin; null if there is none. */
  @Nullable
  Fetched<T> following() {
    long now = word;
    return begun(now) < end(now) ? messages.get(begun(now)) : null;
  }

  /**
   * Begins the next message. If the last one is still running, this acknowledges it.
   *
   * @return null if there is none, or if the last one was cut off; then nothing was changed
   */
  @Nullable
  Fetched<T> next() {
    while (true) {
      long now = word;
      int begun = begun(now);
      if (begun == end(now) || phase(now) > ENDED) {
        return null;
      }
      if (WORD.compareAndSet(this, now, word(end(now), begun + 1, RUNNING))) {
        return messages.get(begun);
      }
    }
  }

  /** Takes notice that all outcomes but that of the last message begun are passed on. */
  void passedOn() {
    SETTLED.setRelease(this, begun(word) - 1);
  }

  /** Returns the message begun last; null before the first. */
  @Nullable
  Fetched<T> current() {
    int begun = begun(word);
    return begun == 0 ? null : messages.get(begun - 1);
  }

  /** Ends a message, if it is running. */
  boolean end(int index, Ending how) {
    uneven |= how != Ending.ACKNOWLEDGED;
    return change(index, ENDED);
  }

  /** Returns whether all messages were acknowledged, each in its turn, and are still here. */
  boolean isEven() {
    long now = word;
    return !uneven && begun(now) == end(now) && phase(now) == ENDED;
  }

  // ---- by others, under the inbox's lock

  /** Cuts a message off, if it is running. */
  boolean cut(int index, Stage stage) {
    uneven = true;
    return change(index, stage == Stage.TIMED_OUT ? TIMED_OUT : INTERRUPTED);
  }

  private boolean change(int index, int phase) {
    while (true) {
      long now = word;
      if (begun(now) != index + 1 || phase(now) != RUNNING) {
        return false;
      }
      if (WORD.compareAndSet(this, now, word(end(now), index + 1, phase))) {
        return true;
      }
    }
  }

  Stage stage(Fetched<T> message, int index) {
    long now = word;
    int begun = begun(now);
    if (index >= begun) {
      return Stage.WAITING;
    }
    return index == begun - 1 ? STAGES[phase(now)] : message.stageWhenOver();
  }

  /** Takes out and returns those that have not begun. */
  List<Fetched<T>> cutOff() {
    uneven = true;
    while (true) {
      long now = word;
      int begun = begun(now);
      if (WORD.compareAndSet(this, now, word(begun, begun, phase(now)))) {
        List<Fetched<T>> rest = messages.subList(begun, end(now));
        rest.forEach(Fetched::leave);
        return rest;
      }
    }
  }

  /** Returns whether the outcome of a message that has ended is not passed on yet. */
  boolean isSettling() {
    return begun(word) - 1 > (int) SETTLED.getAcquire(this);
  }

  /** Keeps nothing in memory any more for those who keep one of its messages. */
  void forget() {
    messages = List.of();
    thread = null;
  }

  /** Returns the thread of the runner; under the inbox's lock. */
  @Nullable
  Thread thread() {
    return thread;
  }

  /** Returns how many messages are here. */
  int size() {
    return end(word) - counted;
  }

  void forEach(Consumer<? super Fetched<T>> action) {
    int end = end(word);
    for (int i = counted; i < end; i++) {
      action.accept(messages.get(i));
    }
  }

  /** Removes those that have ended before the last one begun, for the caller to count. */
  void removeEnded(Consumer<? super Fetched<T>> action) {
    remove(Math.max(counted, begun(word) - 1), action);
  }

  /** Removes all that have begun, for the caller to count. */
  void removeBegun(Consumer<? super Fetched<T>> action) {
    remove(begun(word), action);
  }

  private void remove(int end, Consumer<? super Fetched<T>> action) {
    uneven = true;
    for (int i = counted; i < end; i++) {
      action.accept(messages.get(i));
      messages.get(i).leave();
    }
    counted = end;
  }
}
