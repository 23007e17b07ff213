package dev.mullion.messaging;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
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
  private final boolean own;
  private final AtomicLong submitted = new AtomicLong();

  private HandlerThreads(Executor executor, @Nullable Pool pool, boolean own) {
    this.executor = executor;
    this.pool = pool;
    this.own = own;
  }

  /** Returns the user's executor. */
  static HandlerThreads of(Executor executor) {
    return new HandlerThreads(executor, null, false);
  }

  /** Returns virtual threads, or a bounded pool where there are none. */
  static HandlerThreads create(int maxThreads) {
    Executor virtual = virtual();
    return virtual == null ? bounded(maxThreads) : new HandlerThreads(virtual, null, true);
  }

  /** Returns a pool of platform threads. */
  static HandlerThreads bounded(int maxThreads) {
    Pool pool = new Pool(maxThreads);
    return new HandlerThreads(pool, pool, true);
  }

  /** Runs a task; throws what the executor throws if it does not take it. */
  void execute(Runnable task) {
    if (pool != null) {
      pool.execute(task);
      return;
    }
    submitted.incrementAndGet();
    try {
      executor.execute(new Submitted(task));
    } catch (Throwable e) {
      submitted.decrementAndGet();
      throw e;
    }
  }

  /** Lets threads end as soon as they are idle; rejects further tasks. */
  void close() {
    if (pool != null) {
      pool.threads.shutdown();
    }
  }

  /** Returns whether the threads are not the user's. */
  boolean areOwn() {
    return own;
  }

  /** Returns whether tasks wait for a thread. */
  boolean areContended() {
    return pool != null ? pool.waiting() > 0 : !own && submitted.get() > 0;
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

  /** A task that no longer waits once it runs. */
  private final class Submitted implements Runnable {
    private final Runnable task;

    Submitted(Runnable task) {
      this.task = task;
    }

    @Override
    public void run() {
      submitted.decrementAndGet();
      task.run();
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
