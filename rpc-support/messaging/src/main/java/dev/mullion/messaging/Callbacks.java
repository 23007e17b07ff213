package dev.mullion.messaging;

import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinWorkerThread;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The threads on which futures of users complete, and so on which their continuations run. A
 * continuation that waits for another future has a substitute meanwhile, since the JDK tells a
 * {@code ForkJoinPool} of such waits. Never rejects a task.
 *
 * <p>To pass a task to the pool costs more than most tasks do. So the pool gets runners, each of
 * which runs tasks for as long as there are any, and has another one started while some wait.
 */
final class Callbacks implements Executor {
  private static final Duration RETRY = Duration.ofMillis(100);
  private static final int THREADS = Math.max(16, Runtime.getRuntime().availableProcessors());
  private static final int MOST_THREADS = 1024; // substitutes included

  private final ForkJoinPool pool;
  private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean starting = new AtomicBoolean(); // a runner that has not begun yet

  Callbacks() {
    ClassLoader loader = Thread.currentThread().getContextClassLoader();
    pool = new ForkJoinPool(
        THREADS,
        owner -> new CallbackThread(owner, loader),
        null,
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
    waiting.add(task);
    startRunner();
  }

  private void startRunner() {
    if (starting.compareAndSet(false, true)) {
      submit();
    }
  }

  private void submit() {
    try {
      pool.execute(this::runAll);
    } catch (RejectedExecutionException closed) { // the last few, after the stop
      runOnNewThread();
    } catch (Throwable e) { // no thread could be started: the pool may have the runner, or not
      submitLater(e);
    }
  }

  private void runOnNewThread() {
    Thread thread = new Thread(this::runAll, "messaging-callback");
    thread.setDaemon(true);
    try {
      thread.start();
    } catch (Throwable e) {
      submitLater(e);
    }
  }

  /** One runner too many finds nothing to do. */
  private void submitLater(Throwable error) {
    try {
      LimitedLog.warn("callback", "no thread for a continuation; next attempt in " + RETRY, error);
      MessagingClock.system().schedule(RETRY, this::submit);
    } catch (Throwable e) { // no memory, or no thread for the timer
      starting.set(false);
      LimitedLog.warn("callback", "no timer for a continuation; the next one tries again", e);
    }
  }

  /**
   * Runs what waits. At the end it looks once more after a moment: engines answer many sends at
   * once, and to start a runner for each costs more than the yield.
   */
  @SuppressWarnings("ThreadPriorityCheck") // a hint is enough
  private void runAll() {
    int last;
    do {
      starting.set(false);
      last = runWaiting();
      if (last > 0 && starting.compareAndSet(false, true)) {
        Thread.yield();
      } else {
        return;
      }
    } while (true);
  }

  /** Runs what waits; while one task runs, which may wait for another, the next runner comes. */
  private int runWaiting() {
    int count = 0;
    for (Runnable next = waiting.poll(); next != null; next = waiting.poll()) {
      if (!waiting.isEmpty()) {
        startRunner();
      }
      try {
        next.run();
      } catch (Throwable e) { // of the user's continuation
        LimitedLog.warn("callback", "a continuation failed", e);
      }
      Thread.interrupted(); // left by it, and not meant for the next one
      count++;
    }
    return count;
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
