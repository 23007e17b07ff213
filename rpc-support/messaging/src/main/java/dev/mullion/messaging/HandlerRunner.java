package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes messages from a subscription's inbox and calls the handler, on one thread, for as long as
 * there are any. So a busy subscription passes from message to message without a change of threads.
 * The only runner of a subscription takes several at once, and then needs the inbox's lock again
 * once it is through with them.
 */
final class HandlerRunner<T> extends Effects implements Runnable {
  private static final ThreadLocal<@Nullable HandlerRunner<?>> CURRENT = new ThreadLocal<>();

  /** After this number of messages other runners get the thread, or its carrier. */
  private static final int TURN = 256;

  private final RunningSubscription<T> owner;
  private final Inbox<T> inbox;
  private final Handling<T> handling;
  private final HandlerThreads threads;

  /** What it has taken; changed by this thread, and only {@link Inbox} adds to it. */
  final List<HandlerCall<T>> calls = new ArrayList<>();

  /** What it has taken at once, instead of calls; as these. */
  @Nullable
  Run<T> taken;

  boolean starting = true; // guarded by the inbox's lock
  boolean asking; // written under the inbox's lock by this runner
  private @Nullable HandlerCall<T> call; // this thread only, as all below
  private @Nullable Thread thread;
  private int handled;
  private @Nullable HandlerRunner<?> outer;

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
    return call() != null && handling.isAsync();
  }

  boolean isOf(Subscriptions subscriptions) {
    return owner.subscriptions() == subscriptions;
  }

  /** Returns the call that this runner is inside of; this thread only. */
  @Nullable
  HandlerCall<T> call() {
    Run<T> run = taken;
    return run == null ? call : run.current();
  }

  /** Returns the thread that runs this. */
  Thread thread() {
    return requireNonNull(thread);
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
    HandlerCall<T> inside = call();
    if (inside != null) {
      inbox.stopsInside(inside, stopped == owner, change);
      calls.removeIf(each -> each != inside);
      owner.stopsChanged();
    }
  }

  @Override
  public void run() {
    outer = CURRENT.get(); // an executor may run tasks on its caller's thread
    CURRENT.set(this);
    thread = Thread.currentThread();
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
    boolean more = true;
    while (more && takeNext()) {
      Run<T> run = taken;
      more = run == null ? makeCalls() : makeRun(run);
    }
    if (!more) {
      clear();
      inbox.handOver(this);
      owner.perform(this);
    }
  }

  /** Makes the calls that were taken; returns false if another runner has to go on. */
  private boolean makeCalls() {
    for (int i = 0; i < calls.size(); i++) {
      HandlerCall<T> next = calls.get(i);
      if (!begin(next, i == 0)) {
        break;
      }
      handle(next);
      if (mustHandOver(++handled)) {
        return false;
      }
      if (next.isCut()) {
        break; // what else was taken is taken back
      }
    }
    return true;
  }

  /**
   * Handles the messages of a run; returns false if another runner has to go on. To begin a message
   * acknowledges the one before.
   */
  private boolean makeRun(Run<T> run) {
    Fetched<T> last = null; // handled, and not acknowledged yet
    boolean first = true;
    while (true) {
      Fetched<T> next = first || !inbox.isPaused() ? handling.next(run) : null;
      first = false;
      if (last != null) {
        handling.handled(last, next != null);
      }
      if (next == null) {
        return true;
      }
      run.passedOn();
      last = handling.handleInRun(next) ? next : null;
      if (mustHandOver(++handled)) {
        if (last != null) {
          handling.handled(last, false);
        }
        return false;
      }
    }
  }

  private boolean takeNext() {
    clear();
    inbox.next(this);
    owner.perform(this);
    while (asking) {
      clear();
      inbox.lookAgain(this);
      owner.perform(this);
    }
    return taken != null || !calls.isEmpty();
  }

  /** Begins a call; false if it goes back, or has gone back already. */
  private boolean begin(HandlerCall<T> next, boolean first) {
    return (first || !inbox.isPaused()) && next.begin();
  }

  private void handle(HandlerCall<T> next) {
    call = next;
    boolean returned = false;
    try {
      returned = handling.handle(next);
    } catch (Throwable e) { // a failure of our own, such as no memory left
      LimitedLog.warn("handler", "a message could not be handled (" + owner.address() + ")", e);
      handling.ended(next, null, e);
      returned = true;
    } finally {
      call = null;
    }
    if (!returned) {
      calls.remove(next); // the thread that completes its stage ends it
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
      if (threads.areVirtual()) {
        Thread.yield();
      }
    }
    return false;
  }
}
