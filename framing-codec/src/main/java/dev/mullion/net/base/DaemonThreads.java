package dev.mullion.net.base;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionHandler;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** Creates the threads of servers and clients. They are daemons, so the JVM can exit. */
public final class DaemonThreads {
  /** The default maximum of platform threads for blocking handlers or services. */
  public static final int DEFAULT_MAX = 256;

  /** The first one with virtual threads that are not a preview feature. */
  private static final int FIRST_JDK_WITH_VIRTUAL_THREADS = 21;

  private DaemonThreads() {}

  /** Returns a factory of threads with one name. */
  public static ThreadFactory named(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }

  /** Returns a factory of threads whose names end with a number, counted from 1. */
  public static ThreadFactory numbered(String prefix) {
    AtomicLong made = new AtomicLong();
    return task -> named(prefix + made.incrementAndGet()).newThread(task);
  }

  /**
   * Returns an executor with a virtual thread for each task, or {@code null} if this JDK has no
   * virtual threads. It uses reflection, since the sources are compiled for JDK 17.
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
   * Returns a pool of at most {@code maxThreads} platform threads. A task waits if no thread is
   * free, or if the system cannot start one; an idle thread ends after a minute.
   */
  public static ThreadPoolExecutor platform(
      String prefix, int maxThreads, RejectedExecutionHandler afterShutdown) {
    return new Pool(maxThreads, numbered(prefix), afterShutdown);
  }

  /**
   * A pool that starts a thread if none is idle. A task for which no thread can be started waits
   * for one that runs already, or that a later task starts.
   */
  static final class Pool extends ThreadPoolExecutor {
    private final TaskQueue tasks;
    private final RejectedExecutionHandler afterShutdown;

    Pool(int maxThreads, ThreadFactory factory, RejectedExecutionHandler afterShutdown) {
      this(maxThreads, new TaskQueue(), factory, afterShutdown);
    }

    private Pool(
        int maxThreads,
        TaskQueue tasks,
        ThreadFactory factory,
        RejectedExecutionHandler afterShutdown) {
      super(
          0,
          maxThreads,
          60,
          TimeUnit.SECONDS,
          tasks,
          factory,
          (task, pool) -> ((Pool) pool).allThreadsBusy(task));
      this.tasks = tasks;
      this.afterShutdown = afterShutdown;
    }

    @Override
    public void execute(Runnable task) {
      try {
        super.execute(task);
      } catch (OutOfMemoryError noThread) {
        if (!tasks.contains(task)) {
          enqueue(task);
        }
      }
    }

    private void allThreadsBusy(Runnable task) {
      enqueue(task);
      // The last thread may have ended before it could see the task.
      if (getPoolSize() == 0 && remove(task)) {
        execute(task);
      }
    }

    private void enqueue(Runnable task) {
      tasks.put(task);
      if (isShutdown() && remove(task)) {
        afterShutdown.rejectedExecution(task, this);
      }
    }
  }
}
