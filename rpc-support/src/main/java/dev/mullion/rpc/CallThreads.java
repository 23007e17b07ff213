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

  /** How many platform threads there are, unless told otherwise. */
  static final int DEFAULT_MAX = 256;

  /** Without a preview flag. */
  private static final int FIRST_JDK_WITH_VIRTUAL_THREADS = 21;

  private CallThreads() {}

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
   * Returns an executor on these threads that takes what comes after their shutdown too: gRPC still has
   * to do something for calls that are over, and without it their messages would leak. A pool does so
   * by itself.
   */
  static Executor alsoAfterShutdown(ExecutorService threads) {
    if (threads instanceof ThreadPoolExecutor) {
      return threads;
    }
    return new Lasting(threads);
  }

  /** Runs a task after the shutdown. It may come from an event loop, which is not to run it. */
  static void runLate(Runnable task) {
    Thread thread = new Thread(() -> CallEvents.run(task), NAME + "late");
    thread.setDaemon(true);
    thread.start();
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
        runLate(task);
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
        (task, shutDown) -> runLate(task));
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }
}
