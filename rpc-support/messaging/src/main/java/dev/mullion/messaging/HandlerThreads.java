package dev.mullion.messaging;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The threads of handlers: virtual ones on JDK 21 and newer, else those of a bounded pool, in which
 * tasks wait for a thread and are counted; or the user's executor.
 */
final class HandlerThreads {
  private static final int FIRST_JDK_WITH_VIRTUAL_THREADS = 21;
  private static final String PREFIX = "messaging-handler-";

  private final Executor executor;
  private final @Nullable Pool pool;
  private final @Nullable HandlerThreads callers;
  private final AtomicLong submitted = new AtomicLong();

  private HandlerThreads(Executor executor, @Nullable Pool pool, @Nullable HandlerThreads callers) {
    this.executor = executor;
    this.pool = pool;
    this.callers = callers;
  }

  /**
   * Returns the user's executor.
   *
   * @param callers call it: an executor may block, or run tasks on its caller's thread, which must
   *     not be a sender's, a timer's or one of the engine's
   */
  static HandlerThreads of(Executor executor, HandlerThreads callers) {
    return new HandlerThreads(executor, null, callers);
  }

  /** Returns virtual threads, or a bounded pool where there are none. */
  static HandlerThreads create(int maxThreads) {
    Executor virtual = virtual();
    return virtual == null ? bounded(maxThreads) : new HandlerThreads(virtual, null, null);
  }

  /** Returns a pool of platform threads. */
  static HandlerThreads bounded(int maxThreads) {
    Pool pool = new Pool(maxThreads);
    return new HandlerThreads(pool, pool, null);
  }

  /**
   * Runs a task.
   *
   * @param rejected called, maybe later, with what the executor throws if it does not take the task
   */
  void execute(Runnable task, Consumer<Throwable> rejected) {
    Submitted waiting = new Submitted(task, rejected);
    submitted.incrementAndGet();
    if (callers == null) {
      waiting.passTo(executor);
    } else {
      callers.execute(() -> waiting.passTo(executor), waiting::reject);
    }
  }

  /** Lets threads end as soon as they are idle; rejects further tasks. */
  void close() {
    if (pool != null) {
      pool.threads.shutdown();
    }
    if (callers != null) {
      callers.close();
    }
  }

  /** Returns whether the threads are not the user's. */
  boolean areOwn() {
    return callers == null;
  }

  /** Returns whether the threads are our own virtual ones. */
  boolean areVirtual() {
    return callers == null && pool == null;
  }

  /** Returns whether tasks wait for a thread. */
  boolean areContended() {
    return pool != null ? pool.waiting() > 0 : callers != null && submitted.get() > 0;
  }

  /** Returns the number of tasks that wait for a thread. */
  long waiting() {
    return pool != null ? pool.waiting() : submitted.get();
  }

  /** Returns virtual threads by reflection, since the sources are compiled for JDK 17. */
  private static @Nullable Executor virtual() {
    if (Runtime.version().feature() < FIRST_JDK_WITH_VIRTUAL_THREADS) {
      return null;
    }
    try {
      Class<?> type = Class.forName("java.lang.Thread$Builder$OfVirtual");
      Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
      Object named = type.getMethod("name", String.class, long.class).invoke(builder, PREFIX, 1L);
      Object factory = type.getMethod("factory").invoke(named);
      return (ExecutorService) Executors.class
          .getMethod("newThreadPerTaskExecutor", ThreadFactory.class)
          .invoke(null, factory);
    } catch (ReflectiveOperationException absent) {
      return null; // a native image contains only what was requested when it was built
    }
  }

  /** A task that no longer waits once it runs, or is rejected. */
  private final class Submitted implements Runnable {
    private final Runnable task;
    private final Consumer<Throwable> rejected;
    private final AtomicBoolean waiting = new AtomicBoolean(true);

    Submitted(Runnable task, Consumer<Throwable> rejected) {
      this.task = task;
      this.rejected = rejected;
    }

    void passTo(Executor to) {
      try {
        to.execute(this);
      } catch (Throwable e) { // Error too, such as no memory for a thread
        reject(e);
      } finally {
        if (callers != null) {
          Thread.interrupted(); // a task that ran here may have left it, and this thread is ours
        }
      }
    }

    void reject(Throwable error) {
      if (leave()) {
        rejected.accept(error);
      } else { // it ran on the thread that passed it on
        LimitedLog.warn("handler thread", "a task of the handler threads failed", error);
      }
    }

    private boolean leave() {
      boolean waited = waiting.getAndSet(false);
      if (waited) {
        submitted.decrementAndGet();
      }
      return waited;
    }

    @Override
    public void run() {
      if (leave()) {
        task.run();
      }
    }
  }

  /** Daemon threads up to a maximum, created as they are needed and ended when idle. */
  private static final class Pool implements Executor {
    private final int maxThreads;
    private final AtomicLong created = new AtomicLong();
    private final ArrayDeque<Runnable> queue = new ArrayDeque<>(); // guarded by itself
    private int busy; // guarded by queue
    private volatile int waiting;
    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(
        0, Integer.MAX_VALUE, 30, TimeUnit.SECONDS, new SynchronousQueue<>(), this::thread);

    Pool(int maxThreads) {
      this.maxThreads = maxThreads;
    }

    private Thread thread(Runnable work) {
      Thread thread = new Thread(null, work, PREFIX + created.incrementAndGet(), 0, false);
      thread.setDaemon(true);
      return thread;
    }

    @Override
    public void execute(Runnable task) {
      synchronized (queue) {
        if (busy == maxThreads) {
          queue.add(task);
          waiting = queue.size();
          return;
        }
        busy++;
      }
      start(task);
    }

    private void start(Runnable task) {
      try {
        threads.execute(() -> runAll(task));
      } catch (Throwable e) { // no thread could be created
        synchronized (queue) {
          busy--;
        }
        throw e;
      }
    }

    private void runAll(Runnable first) {
      Runnable task = first;
      while (task != null) {
        try {
          task.run();
        } catch (Throwable e) { // the next task must get its thread all the same
          LimitedLog.warn("handler thread", "a task of the handler threads failed", e);
        }
        task = next();
      }
    }

    private @Nullable Runnable next() {
      synchronized (queue) {
        Runnable task = queue.poll();
        waiting = queue.size();
        if (task == null) {
          busy--;
        }
        return task;
      }
    }

    int waiting() {
      return waiting;
    }
  }
}
