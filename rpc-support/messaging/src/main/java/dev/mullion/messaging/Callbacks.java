package dev.mullion.messaging;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The threads on which futures of users complete, and so on which their continuations run. A
 * continuation that waits for another future has a substitute meanwhile, since the JDK tells a
 * {@code ForkJoinPool} of such waits. Never rejects a task.
 */
final class Callbacks implements Executor {
  private static final Duration RETRY = Duration.ofMillis(100);
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
    execute(new Once(task));
  }

  private void execute(Once task) {
    try {
      pool.execute(task);
    } catch (RejectedExecutionException closed) { // the last few, after the stop
      Thread thread = new Thread(task, "messaging-callback");
      thread.setDaemon(true);
      start(thread, task);
    } catch (Throwable e) { // no thread could be started: the pool may have the task, or not
      again(task, e);
    }
  }

  private void start(Thread thread, Once task) {
    try {
      thread.start();
    } catch (Throwable e) {
      again(task, e);
    }
  }

  private void again(Once task, Throwable error) {
    LimitedLog.warn("callback", "no thread for a continuation; next attempt in " + RETRY, error);
    MessagingClock.system().schedule(RETRY, () -> execute(task));
  }

  /** A task that runs once, however often it is passed on. */
  private static final class Once implements Runnable {
    private static final VarHandle TASK;

    static {
      try {
        TASK = MethodHandles.lookup().findVarHandle(Once.class, "task", Runnable.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    @SuppressWarnings("unused") // by TASK
    private @Nullable Runnable task;

    Once(Runnable task) {
      this.task = task;
    }

    @Override
    public void run() {
      Runnable first = (Runnable) TASK.getAndSet(this, (Runnable) null);
      if (first != null) {
        first.run();
      }
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
