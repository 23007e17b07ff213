package dev.mullion.messaging.rabbitmq;

import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.LinkedTransferQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.RejectedExecutionHandler;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The threads of a link: daemons with a name. */
final class Threads {
  private static final int MOST_BLOCKED = 64;

  private Threads() {}

  static ThreadFactory named(String name) {
    AtomicInteger count = new AtomicInteger();
    return task -> {
      Thread thread = new Thread(task, "mullion-rabbitmq-" + name + "-" + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  /** Returns one thread, which does one task after the other. */
  static ThreadPoolExecutor one(String name) {
    return new ThreadPoolExecutor(
        1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named(name));
  }

  /** Returns threads that pass deliveries on. */
  static ExecutorService forDeliveries() {
    int size = Math.max(2, Math.min(8, Runtime.getRuntime().availableProcessors()));
    ThreadPoolExecutor pool = new ThreadPoolExecutor(
        size, size, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named("deliver"));
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /** Returns threads that may block, one for each question under way; more are rejected. */
  static ExecutorService forQuestions() {
    return new ThreadPoolExecutor(
        0, MOST_BLOCKED, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), named("ask"));
  }

  /** Returns threads that may block, for subscriptions: what finds none waits for one. */
  static ExecutorService forSubscriptions() {
    Tasks tasks = new Tasks();
    return new ThreadPoolExecutor(
        0, MOST_BLOCKED, 10, TimeUnit.SECONDS, tasks, named("subscription"), tasks);
  }

  /** Takes a task only if a thread is waiting for it, unless the pool can have no more threads. */
  private static final class Tasks extends LinkedTransferQueue<Runnable>
      implements RejectedExecutionHandler {
    private static final long serialVersionUID = 1;

    @Override
    public boolean offer(Runnable task) {
      return tryTransfer(task);
    }

    @Override
    public void rejectedExecution(Runnable task, ThreadPoolExecutor pool) {
      if (pool.isShutdown()) {
        throw new RejectedExecutionException("messaging is closed");
      }
      super.offer(task);
    }
  }

  /** Returns false if the executor rejects it. */
  static boolean run(Runnable task, Executor on) {
    try {
      on.execute(task);
      return true;
    } catch (RejectedExecutionException e) {
      return false;
    }
  }

  static ScheduledThreadPoolExecutor timer() {
    ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, named("timer"));
    timer.setRemoveOnCancelPolicy(true);
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    return timer;
  }
}
