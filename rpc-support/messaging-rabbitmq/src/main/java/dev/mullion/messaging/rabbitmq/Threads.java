package dev.mullion.messaging.rabbitmq;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The threads of a link: daemons with a name. */
final class Threads {
  private Threads() {}

  static ThreadFactory named(String name) {
    AtomicInteger count = new AtomicInteger();
    return task -> {
      Thread thread = new Thread(task, "mullion-rabbitmq-" + name + "-" + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  /** Returns threads that pass deliveries on. */
  static ExecutorService forDeliveries() {
    int size = Math.max(2, Math.min(8, Runtime.getRuntime().availableProcessors()));
    ThreadPoolExecutor pool = new ThreadPoolExecutor(
        size, size, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), named("deliver"));
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /** Returns threads that may block, one for each question under way. */
  static ExecutorService forQuestions() {
    return new ThreadPoolExecutor(
        0, 64, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), named("ask"));
  }

  static ScheduledThreadPoolExecutor timer() {
    ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, named("timer"));
    timer.setRemoveOnCancelPolicy(true);
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    return timer;
  }
}
