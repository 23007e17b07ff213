package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/**
 * Takes messages from a subscription's inbox and calls the handler, on one thread, for as long as
 * there are any. So a busy subscription passes from message to message without a change of threads.
 */
final class HandlerRunner<T> extends Effects implements Runnable {
  private static final ThreadLocal<@Nullable HandlerRunner<?>> CURRENT = new ThreadLocal<>();

  /** After this number of messages other runners get the thread, or its carrier. */
  private static final int TURN = 256;

  private final RunningSubscription<T> owner;
  private final Inbox<T> inbox;
  private final Handling<T> handling;
  private final HandlerThreads threads;

  boolean starting = true; // guarded by the inbox's lock
  boolean asking; // written under the inbox's lock by this runner
  private @Nullable HandlerCall<T> call; // this thread only
  private @Nullable HandlerRunner<?> outer; // this thread only

  HandlerRunner(RunningSubscription<T> owner, HandlerThreads threads) {
    this.owner = owner;
    this.inbox = owner.inbox();
    this.handling = owner.handling();
    this.threads = threads;
  }

  /** Returns the runner that the calling thread is inside of, or null. */
  static @Nullable HandlerRunner<?> current() {
    return CURRENT.get();
  }

  boolean isAsync() {
    return call != null && handling.isAsync();
  }

  boolean isOf(Subscriptions subscriptions) {
    return owner.subscriptions() == subscriptions;
  }

  /** Returns the call that this runner is inside of; this thread only. */
  @Nullable
  HandlerCall<T> call() {
    return call;
  }

  /** Returns the runner that this one runs inside of, on the same thread. */
  @Nullable
  HandlerRunner<?> outer() {
    return outer;
  }

  /** Marks the handler under way as waiting for the stop of a subscription. */
  void enterStop(RunningSubscription<?> stopped) {
    mark(stopped, 1);
  }

  void leaveStop(RunningSubscription<?> stopped) {
    mark(stopped, -1);
  }

  private void mark(RunningSubscription<?> stopped, int change) {
    if (call != null) {
      inbox.stopsInside(call, stopped == owner, change);
      owner.stopsChanged();
    }
  }

  @Override
  public void run() {
    outer = CURRENT.get(); // an executor may run tasks on its caller's thread
    CURRENT.set(this);
    try {
      takeAll();
    } finally {
      if (outer == null) {
        CURRENT.remove();
      } else {
        CURRENT.set(outer);
      }
    }
  }

  private void takeAll() {
    HandlerCall<T> finished = null;
    for (int taken = 1; ; taken++) {
      HandlerCall<T> next = next(finished);
      if (next == null) {
        return;
      }
      finished = handle(next) ? next : null;
      if (mustHandOver(taken)) {
        clear();
        inbox.handOver(this, finished);
        owner.perform(this);
        return;
      }
    }
  }

  private @Nullable HandlerCall<T> next(@Nullable HandlerCall<T> finished) {
    clear();
    HandlerCall<T> next = inbox.next(this, finished);
    owner.perform(this);
    if (asking) {
      clear();
      next = inbox.lookAgain(this);
      owner.perform(this);
    }
    return next;
  }

  private boolean handle(HandlerCall<T> next) {
    call = next;
    try {
      return handling.handle(next);
    } catch (Throwable e) { // a failure of our own, such as no memory left
      LimitedLog.warn("handler", "a message could not be handled (" + owner.address() + ")", e);
      handling.ended(next, null, e);
      return true;
    } finally {
      call = null;
    }
  }

  /**
   * Returns whether another runner has to go on: others wait for a thread, or the user's executor
   * interrupted this one. Our own threads are reused by nobody who could miss the flag.
   */
  @SuppressWarnings("ThreadPriorityCheck") // virtual threads have no time slices
  private boolean mustHandOver(int taken) {
    if (Thread.currentThread().isInterrupted()) {
      if (!threads.areOwn()) {
        return true;
      }
      Thread.interrupted();
    }
    if (taken % TURN == 0) {
      if (threads.areContended()) {
        return true;
      }
      Thread.yield();
    }
    return false;
  }
}
