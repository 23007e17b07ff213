package dev.mullion.messaging;

import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.concurrent.TimeUnit;

/**
 * The threads on which futures of users complete, and so on which their continuations run. A
 * continuation that waits for another future has a substitute meanwhile, since the JDK tells a
 * {@code ForkJoinPool} of such waits. Never rejects a task.
 */
final class Callbacks implements Executor {
  private static final int THREADS = Math.max(16, Runtime.getRuntime().availableProcessors());
  private static final int MOST_THREADS = 1024; // substitutes included

  private final ForkJoinPool pool;

  Callbacks() {
    ClassLoader loader = Thread.currentThread().getContextClassLoader();
    pool = new ForkJoinPool(
        THREADS,
        owner -> new CallbackThread(owner, loader),
        (thread, error) -> LimitedLog.warn("callback", "a continuation failed", error),
        true,
        THREADS,
        MOST_THREADS,
        THREADS / 2,
        saturated -> true,
        10,
        TimeUnit.SECONDS);
  }

  @Override
  public void execute(Runnable task) {
    try {
      pool.execute(task);
    } catch (RuntimeException closed) { // the last few, after the stop
      Thread thread = new Thread(task, "messaging-callback");
      thread.setDaemon(true);
      thread.start();
    }
  }

  /** Lets its tasks finish, and rejects further ones; does not wait. */
  void close() {
    pool.shutdown();
  }

  /** A thread with the class loader of the one that has started this {@code Messaging}. */
  private static final class CallbackThread extends ForkJoinWorkerThread {
    CallbackThread(ForkJoinPool pool, ClassLoader loader) {
      super(pool);
      setContextClassLoader(loader);
      setName("messaging-callback-" + getPoolIndex());
      setDaemon(true);
    }
  }
}
