package dev.mullion.messaging.grpc;

import java.lang.System.Logger.Level;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** Work for another thread. */
final class Later {
  private Later() {}

  /**
   * Returns a task for a timer, which passes the work on; an executor that has stopped drops it.
   */
  static Runnable on(Executor executor, Runnable work) {
    return () -> {
      try {
        executor.execute(work);
      } catch (RejectedExecutionException stopped) {
        Logs.LOG.log(Logs.Event.LATE, Level.DEBUG, null, () -> "work came after the end", stopped);
      }
    };
  }
}
