package dev.mullion.net.base;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionHandler;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Makes the threads of servers and clients. None of them keeps a JVM from ending. */
public final class DaemonThreads {
  /** How many platform threads run blocking handlers or services, unless set otherwise. */
  public static final int DEFAULT_MAX = 256;

  /** Without a preview flag. */
  private static final int FIRST_JDK_WITH_VIRTUAL_THREADS = 21;

  private DaemonThreads() {}

  /** Returns what makes threads of one name. */
  public static ThreadFactory named(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  /** Returns what makes threads whose names end with their number, from 1 on. */
  public static ThreadFactory numbered(String prefix) {
    AtomicLong made = new AtomicLong();
    return task -> named(prefix + made.incrementAndGet()).newThread(task);
  }

  /**
   * Returns an executor with a virtual thread for each task, or {@code null} if this JDK has none.
   * By reflection, since the sources are compiled for JDK 17.
   */
  public static @Nullable ExecutorService virtual(String prefix) {
    if (Runtime.version().feature() < FIRST_JDK_WITH_VIRTUAL_THREADS) {
      return null;
    }
    try {
      Class<?> type = Class.forName("java.lang.Thread$Builder$OfVirtual");
      Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
      Object named = type.getMethod("name", String.class, long.class).invoke(builder, prefix, 1L);
      Object factory = type.getMethod("factory").invoke(named);
      return (ExecutorService) Executors.class
          .getMethod("newThreadPerTaskExecutor", ThreadFactory.class)
          .invoke(null, factory);
    } catch (ReflectiveOperationException absent) {
      // A native image contains only what was requested when it was built.
      return null;
    }
  }

  /**
   * Returns a pool with at most so many platform threads. A task that finds none free waits for
   * one; a thread without a task ends after a minute.
   */
  public static ThreadPoolExecutor platform(
      String prefix, int maxThreads, RejectedExecutionHandler afterShutdown) {
    ThreadPoolExecutor threads = new ThreadPoolExecutor(
        maxThreads,
        maxThreads,
        60,
        TimeUnit.SECONDS,
        new LinkedBlockingQueue<>(),
        numbered(prefix),
        afterShutdown);
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }
}
