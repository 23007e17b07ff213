package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import io.grpc.Context;
import io.grpc.Status;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Runs what happens in a call, one event after the other, on threads of an executor. A {@link
 * #runBody body} may hold its thread for as long as it likes: meanwhile events run on threads for
 * deliveries. They never run on the body's thread, not even while it waits for them, since an
 * interceptor that sets something for a thread around each event would take from the body what was
 * set for it. So a body may also read on any thread, and a pool that is taken up by bodies does not
 * lock up.
 */
final class CallExecutor implements Executor {
  /** A client makes calls fail as often as it likes. */
  private enum Kind {
    EVENT_FAILED
  }

  private static final BoundedLog<Kind> LOG =
      new BoundedLog<>(System.getLogger(CallExecutor.class.getName()), Kind.class);

  /** With which a call ends whose executor has no thread for it. */
  static final Status FULL =
      Status.UNAVAILABLE.withDescription("the server's executor refuses calls");

  private final Executor threads;
  private final Executor deliveries;
  private final Context context;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition turnEnded = lock.newCondition();
  private final Deque<Runnable> waiting = new ArrayDeque<>();

  /** Whether a thread has the turn, which is to run events, or was asked to take it. */
  private boolean turn;

  /** Whether the thread that was asked has begun. */
  private boolean running;

  /** Which turn it is: a body that has ended takes the turn from a thread that has not begun. */
  private long number;

  /** Whether a body holds a thread. */
  private boolean body;

  /** Whether a body has ended and waits for its turn, to leave the event that it began in. */
  private boolean returning;

  /**
   * Whether the threads have taken an event; what comes when they refuse later ones is still to
   * run.
   */
  private boolean begun;

  /** What the current event keeps that a body does not need. */
  private Runnable keptByEvent = () -> {};

  CallExecutor(Executor threads, Executor deliveries, Context context) {
    this.threads = threads;
    this.deliveries = deliveries;
    this.context = context;
  }

  /**
   * Adds an event.
   *
   * @throws RejectedExecutionException if the executor has no thread for it; it is not run then
   */
  @Override
  public void execute(Runnable event) {
    add(event, false);
  }

  /** Adds an event that runs though the executor has no thread for it, such as the end. */
  void executeAnyway(Runnable event) {
    add(event, true);
  }

  /** Runs something quick of ours beside the events. */
  void deliver(Runnable task) {
    deliveries.execute(task);
  }

  private void add(Runnable event, boolean anyway) {
    boolean delivery;
    long next;
    lock.lock();
    try {
      waiting.add(event);
      if (turn) {
        return;
      }
      next = newTurn();
      delivery = body;
    } finally {
      lock.unlock();
    }
    try {
      if (delivery) {
        deliveries.execute(() -> drain(next));
      } else {
        hand(() -> drain(next));
      }
    } catch (RejectedExecutionException full) {
      if (anyway) {
        deliveries.execute(() -> drain(next));
      } else {
        refused(event);
        throw full;
      }
    }
  }

  /**
   * Has the threads run something. Some executors run it in the thread that hands it over, such as
   * one with a {@code CallerRunsPolicy} that is full: an event loop, which must not wait in a body.
   */
  private void hand(Runnable task) {
    Thread here = Thread.currentThread();
    AtomicBoolean handing = new AtomicBoolean(true);
    try {
      threads.execute(() -> {
        if (handing.get() && Thread.currentThread() == here) {
          deliveries.execute(task);
        } else {
          task.run();
        }
      });
    } finally {
      handing.set(false);
    }
  }

  private long newTurn() {
    turn = true;
    running = false;
    return ++number;
  }

  /** Drops an event; what has come since runs elsewhere, unless the call has never begun. */
  private void refused(Runnable event) {
    long next;
    lock.lock();
    try {
      waiting.remove(event);
      if (!begun) {
        waiting.clear();
      }
      turn = false;
      if (waiting.isEmpty()) {
        return;
      }
      next = newTurn();
    } finally {
      lock.unlock();
    }
    deliveries.execute(() -> drain(next));
  }

  Context context() {
    return context;
  }

  /** Sets what the current event gives up when a body begins inside it. */
  void keptByEvent(Runnable release) {
    keptByEvent = release;
  }

  /** Runs a body inside the current event, in the thread that this holds by now. */
  void runBody(Runnable task) {
    keptByEvent.run();
    giveTurn();
    try {
      task.run();
    } finally {
      takeTurn();
    }
  }

  private void giveTurn() {
    long next;
    lock.lock();
    try {
      body = true;
      turn = false;
      if (waiting.isEmpty()) {
        return;
      }
      next = newTurn();
    } finally {
      lock.unlock();
    }
    deliveries.execute(() -> drain(next));
  }

  /** The event around the body goes on, beside no other one: it waits for one event at most. */
  private void takeTurn() {
    lock.lock();
    try {
      returning = true;
      while (turn && running) {
        turnEnded.awaitUninterruptibly();
      }
      returning = false;
      body = false;
      newTurn();
      running = true;
    } finally {
      lock.unlock();
    }
  }

  private void drain(long own) {
    if (!begin(own)) {
      return;
    }
    Context previous = context.attach();
    try {
      for (Runnable event = next(); event != null; event = next()) {
        run(event);
      }
    } finally {
      context.detach(previous);
    }
  }

  private boolean begin(long own) {
    lock.lock();
    try {
      begun = true;
      running |= own == number;
      return own == number;
    } finally {
      lock.unlock();
    }
  }

  private @Nullable Runnable next() {
    lock.lock();
    try {
      Runnable event = returning ? null : waiting.poll();
      if (event == null) {
        turn = false;
        turnEnded.signal();
      }
      return event;
    } finally {
      lock.unlock();
    }
  }

  /** Runs what may throw, and must not keep others from being run. */
  static void run(Runnable event) {
    try {
      event.run();
    } catch (Throwable thrown) {
      LOG.log(
          Kind.EVENT_FAILED, Level.ERROR, null, () -> "event or callback of a call failed", thrown);
    }
  }
}
