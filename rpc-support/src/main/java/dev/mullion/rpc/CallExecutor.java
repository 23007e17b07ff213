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
 * Runs the events of a call one after the other, on threads of an executor. A {@link #runBody body}
 * may block its thread for any time; meanwhile events run on delivery threads. Events never run on
 * the body's thread, not even while it waits for them: an interceptor that sets a thread-local
 * around each event would clear the body's value. So a body may also read on any thread, and a pool
 * that is full of bodies does not deadlock.
 */
final class CallExecutor implements Executor {
  /** The log is limited, since clients can make any number of calls fail. */
  private enum Kind {
    EVENT_FAILED
  }

  private static final BoundedLog<Kind> LOG =
      new BoundedLog<>(System.getLogger(CallExecutor.class.getName()), Kind.class);

  /** The status of a call that the executor rejects. */
  static final Status FULL =
      Status.UNAVAILABLE.withDescription("the server's executor rejected the call");

  /** Lower than the number of any turn. */
  private static final long NO_TURN = 0;

  private final Executor threads;
  private final Executor deliveries;
  private final Context context;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition turnEnded = lock.newCondition();
  private final Deque<Runnable> waiting = new ArrayDeque<>();

  /** Whether a thread has the turn to run events, or was asked to take it. */
  private boolean turn;

  /** Whether the thread with the turn has started. */
  private boolean running;

  /** The number of the turn: a body that ends takes the turn from a thread that has not started. */
  private long number;

  /** Whether a body occupies a thread. */
  private boolean body;

  /** Whether a body has ended and waits for its turn, to finish the event in which it began. */
  private boolean returning;

  /**
   * Whether the executor has accepted an event. Later events must run even if the executor rejects
   * them.
   */
  private boolean begun;

  /** Releases what the current event holds and a body does not need. */
  private Runnable keptByEvent = () -> {};

  CallExecutor(Executor threads, Executor deliveries, Context context) {
    this.threads = threads;
    this.deliveries = deliveries;
    this.context = context;
  }

  /**
   * Adds an event.
   *
   * @throws RejectedExecutionException if the executor rejects the event; then it does not run
   */
  @Override
  public void execute(Runnable event) {
    add(event, false);
  }

  /** Adds an event that runs even if the executor rejects it, such as the end. */
  void executeAnyway(Runnable event) {
    add(event, true);
  }

  /** Runs a short internal task, independent of the events. */
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
   * Runs a task on the executor. Some executors run it on the calling thread, such as a full one
   * with a {@code CallerRunsPolicy}. That may be an event loop, which must not block in a body.
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

  /** Drops an event. Later events run elsewhere, unless the call has never begun. */
  private void refused(Runnable event) {
    long next;
    lock.lock();
    try {
      waiting.remove(event);
      if (!begun) {
        waiting.clear();
      }
      next = passTurn();
    } finally {
      lock.unlock();
    }
    deliverTurn(next);
  }

  /** Under the lock: ends the turn. Returns the number of the next one, if events wait. */
  private long passTurn() {
    turn = false;
    return waiting.isEmpty() ? NO_TURN : newTurn();
  }

  private void deliverTurn(long next) {
    if (next != NO_TURN) {
      deliveries.execute(() -> drain(next));
    }
  }

  Context context() {
    return context;
  }

  /** Sets how the current event releases its resources when a body begins inside it. */
  void keptByEvent(Runnable release) {
    keptByEvent = release;
  }

  /** Runs a body inside the current event, on the current thread. */
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
      next = passTurn();
    } finally {
      lock.unlock();
    }
    deliverTurn(next);
  }

  /** Resumes the event around the body, after waiting for at most one other event. */
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

  /** Runs a task and logs its exception, so that later tasks still run. */
  static void run(Runnable event) {
    try {
      event.run();
    } catch (Throwable thrown) {
      LOG.log(
          Kind.EVENT_FAILED, Level.ERROR, null, () -> "event or callback of a call failed", thrown);
    }
  }
}
