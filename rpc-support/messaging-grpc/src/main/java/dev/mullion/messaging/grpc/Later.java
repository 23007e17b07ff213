package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingClock;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Work for another thread. */
final class Later {
  private static final Duration RETRY = Duration.ofMillis(100);

  private Later() {}

  /**
   * Returns a task for a timer, which passes the work on; an executor that has stopped drops it. If
   * there is no thread for it, it is passed on again later.
   */
  static Runnable on(Executor executor, Runnable work) {
    return () -> pass(executor, work);
  }

  private static void pass(Executor executor, Runnable work) {
    try {
      executor.execute(work);
    } catch (RejectedExecutionException stopped) {
      Logs.LOG.log(Logs.Event.LATE, Level.DEBUG, null, () -> "work came after the end", stopped);
    } catch (Throwable noThread) { // Error too, such as no memory for one
      Logs.LOG.log(
          Logs.Event.NO_THREAD,
          Level.WARNING,
          null,
          () -> "no thread for some work; next attempt in " + RETRY,
          noThread);
      MessagingClock.system().schedule(RETRY, on(executor, work));
    }
  }
}
