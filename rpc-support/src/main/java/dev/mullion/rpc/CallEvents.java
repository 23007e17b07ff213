package dev.mullion.rpc;

import io.grpc.Context;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Runs what happens in a call, one event after the other, on threads of an executor. Unlike gRPC's own
 * queue it can go on inside an event: one that waits for others runs them, so that a whole stream needs
 * one thread only, which is why a pool that is taken up by waiting streams does not lock up.
 */
final class CallEvents implements Executor {
  private static final System.Logger LOG = System.getLogger(CallEvents.class.getName());

  private final Executor threads;
  private final Executor callbacks;
  private final Context context;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition added = lock.newCondition();
  private final Deque<Runnable> waiting = new ArrayDeque<>();
  private boolean running;
  private volatile @Nullable Thread thread;

  CallEvents(Executor threads, Executor callbacks, Context context) {
    this.threads = threads;
    this.callbacks = callbacks;
    this.context = context;
  }

  /**
   * Adds an event.
   *
   * @throws RejectedExecutionException if the executor has no thread for it; it is not run then
   */
  @Override
  public void execute(Runnable event) {
    lock.lock();
    try {
      waiting.add(event);
      if (running) {
        added.signal();
        return;
      }
      running = true;
    } finally {
      lock.unlock();
    }
    try {
      threads.execute(this::drain);
    } catch (RejectedExecutionException full) {
      refused();
      throw full;
    }
  }

  /** Drops what has come since: the call is over. */
  private void refused() {
    lock.lock();
    try {
      waiting.clear();
      running = false;
    } finally {
      lock.unlock();
    }
  }

  /** Runs something beside the events, which need not have come to their end. */
  void beside(Runnable task) {
    Runnable inContext = context.wrap(() -> run(task));
    try {
      callbacks.execute(inContext);
    } catch (RejectedExecutionException full) {
      // News that nobody would have otherwise, of which a write that waits may be one.
      inContext.run();
    }
  }

  /** Returns whether the calling thread runs an event. */
  boolean isCurrent() {
    return thread == Thread.currentThread();
  }

  /** Runs events inside the current one until the condition holds, which one of them brings about. */
  void runUntil(BooleanSupplier condition) throws InterruptedException {
    while (!condition.getAsBoolean()) {
      run(take());
    }
  }

  private Runnable take() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (true) {
        Runnable event = waiting.poll();
        if (event != null) {
          return event;
        }
        added.await();
      }
    } finally {
      lock.unlock();
    }
  }

  private void drain() {
    Context previous = context.attach();
    thread = Thread.currentThread();
    try {
      for (Runnable event = next(); event != null; event = next()) {
        run(event);
      }
    } finally {
      context.detach(previous);
    }
  }

  private @Nullable Runnable next() {
    lock.lock();
    try {
      Runnable event = waiting.poll();
      if (event == null) {
        thread = null;
        running = false;
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
      LOG.log(Level.ERROR, "event of a call failed", thrown);
    }
  }
}
