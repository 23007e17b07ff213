package dev.mullion.framing.tcp;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Makes the threads of handlers that block, one for each connection. */
final class HandlerThreads {
  static final String NAME = "mullion-connection-";

  /** Without a preview flag. */
  private static final int FIRST_JDK_WITH_VIRTUAL_THREADS = 21;

  private HandlerThreads() {}

  /**
   * Returns an executor of virtual threads where the JDK has them, as many as there are tasks. Else it
   * has at most so many platform threads, and a task that finds none waits for one. All are daemons;
   * the caller shuts it down.
   */
  static ExecutorService create(int maxHandlerThreads) {
    ExecutorService virtual = virtual();
    return virtual == null ? platform(maxHandlerThreads) : virtual;
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

  static ThreadPoolExecutor platform(int maxHandlerThreads) {
    ThreadPoolExecutor threads = new ThreadPoolExecutor(
        maxHandlerThreads,
        maxHandlerThreads,
        60,
        TimeUnit.SECONDS,
        new LinkedBlockingQueue<>(),
        daemons());
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  private static ThreadFactory daemons() {
    AtomicLong made = new AtomicLong();
    return task -> {
      Thread thread = new Thread(task, NAME + made.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }
}
