package dev.mullion.rpc;

import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Makes the threads that services run on. */
final class CallThreads {
  static final String NAME = "mullion-call-";

  /** Without a preview flag. */
  private static final int FIRST_JDK_WITH_VIRTUAL_THREADS = 21;

  private CallThreads() {}

  /**
   * Returns an executor of virtual threads where the JDK has them, as many as there are tasks. Else it
   * has at most so many platform threads, and a task that finds none waits for one. All are daemons;
   * the caller shuts it down.
   */
  static ExecutorService create(int maxThreads) {
    ExecutorService virtual = virtual();
    return virtual == null ? platform(maxThreads) : virtual;
  }

  /** Returns null if this JDK has none. By reflection, since the sources are compiled for JDK 17. */
  static @Nullable ExecutorService virtual() {
    if (Runtime.version().feature() < FIRST_JDK_WITH_VIRTUAL_THREADS) {
      return null;
    }
    try {
      Class<?> type = Class.forName("java.lang.Thread$Builder$OfVirtual");
      Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
      Object named = type.getMethod("name", String.class, long.class).invoke(builder, NAME, 1L);
      Object factory = type.getMethod("factory").invoke(named);
      return (ExecutorService) Executors.class
          .getMethod("newThreadPerTaskExecutor", ThreadFactory.class)
          .invoke(null, factory);
    } catch (ReflectiveOperationException absent) {
      // A native image holds what was asked for when it was built only.
      return null;
    }
  }

  /**
   * Returns what streams have their callbacks run by, beside these threads. A stream may hold its thread
   * until one comes, so those that wait must not be able to take up all of them.
   */
  static ExecutorService forCallbacks(ExecutorService threads, int maxThreads) {
    return threads instanceof ThreadPoolExecutor ? platform(maxThreads) : threads;
  }

  /**
   * Returns an executor on these threads that runs what comes after their shutdown on the spot: what
   * gRPC still has to do for calls that are over is short, and without it their messages would leak. A
   * pool does so by itself.
   */
  static Executor alsoAfterShutdown(ExecutorService threads) {
    if (threads instanceof ThreadPoolExecutor) {
      return threads;
    }
    return new Lasting(threads);
  }

  /**
   * Returns whether what waits there for a thread cannot be taken back. In a pool it can, and on virtual
   * threads nothing waits.
   */
  static boolean isOutOfReach(Executor threads) {
    return !(threads instanceof ThreadPoolExecutor || threads instanceof Lasting);
  }

  private record Lasting(ExecutorService threads) implements Executor {
    @Override
    public void execute(Runnable task) {
      try {
        threads.execute(task);
      } catch (RejectedExecutionException shutDown) {
        task.run();
      }
    }
  }

  /** Each call has one task at a time in its queue; see {@link FirstTurn}. */
  static ThreadPoolExecutor platform(int maxThreads) {
    AtomicLong made = new AtomicLong();
    ThreadFactory daemons = task -> {
      Thread thread = new Thread(task, NAME + made.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
    ThreadPoolExecutor threads = new ThreadPoolExecutor(
        maxThreads,
        maxThreads,
        60,
        TimeUnit.SECONDS,
        new LinkedBlockingQueue<>(),
        daemons,
        (task, shutDown) -> task.run());
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }
}
