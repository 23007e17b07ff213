package dev.mullion.messaging;

import java.time.Duration;

/**
 * The time by which an engine and its {@code Messaging} measure timeouts and delays. Tests can use
 * a {@link ManualClock} in place of the system's.
 */
public interface MessagingClock {

  /**
   * Returns the system's clock: monotonic, with one daemon thread for all timers of the process.
   */
  static MessagingClock system() {
    return SystemClock.INSTANCE;
  }

  /** Returns a monotonic time in nanoseconds, meaningful only in differences. */
  long nanoTime();

  /** Returns the time of day in milliseconds since 1970, for timestamps and stored due times. */
  long currentTimeMillis();

  /**
   * Runs a short task after a delay. The task must not block and must not call user code: it runs
   * on the timer's thread.
   *
   * @return a handle that cancels it
   */
  Timer schedule(Duration delay, Runnable task);

  /**
   * Runs a short task at a time of {@link #nanoTime}, or soon if that is over, as {@link #schedule}
   * does. A clock whose time can pass between its methods overrides this: the delay to that time
   * may be another one by then.
   *
   * @return a handle that cancels it
   */
  default Timer scheduleAt(long nanoTime, Runnable task) {
    return schedule(Duration.ofNanos(Math.max(0, nanoTime - nanoTime())), task);
  }

  /** A scheduled task. */
  interface Timer {
    /** Prevents the task from running, unless it has begun. */
    void cancel();
  }
}
