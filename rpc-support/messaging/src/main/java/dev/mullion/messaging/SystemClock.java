package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The system's clock, with one daemon thread for all timers of the process. */
final class SystemClock implements MessagingClock {
  static final SystemClock INSTANCE = new SystemClock();

  private static final Duration LONGEST = Duration.ofNanos(Long.MAX_VALUE >> 2); // 73 years

  private final ScheduledThreadPoolExecutor timers;
  private final CoarseTime nanos = new CoarseTime(System::nanoTime, 1_000_000, this);
  private final CoarseTime millis = new CoarseTime(System::currentTimeMillis, 1, this);

  private SystemClock() {
    timers = new ScheduledThreadPoolExecutor(1, SystemClock::thread);
    timers.setRemoveOnCancelPolicy(true);
  }

  private static Thread thread(Runnable work) {
    Thread thread = new Thread(null, work, "messaging-timer", 0, false);
    thread.setDaemon(true);
    thread.setContextClassLoader(null); // keeps no application alive that was unloaded
    return thread;
  }

  @Override
  public long nanoTime() {
    return System.nanoTime();
  }

  @Override
  public long currentTimeMillis() {
    return System.currentTimeMillis();
  }

  /** Returns the time of day, which may be a millisecond behind in a burst of calls. */
  long coarseTimeMillis() {
    return millis.get();
  }

  /** Returns a clock's time, which may be a millisecond behind in a burst of calls. */
  static long coarseNanoTime(MessagingClock clock) {
    return clock == INSTANCE ? INSTANCE.nanos.get() : clock.nanoTime();
  }

  @Override
  public Timer schedule(Duration delay, Runnable task) {
    requireNonNull(task, "task");
    long nanos = (delay.compareTo(LONGEST) < 0 ? delay : LONGEST).toNanos();
    Future<?> scheduled = timers.schedule(() -> run(task), nanos, TimeUnit.NANOSECONDS);
    return () -> scheduled.cancel(false);
  }

  private void run(Runnable task) {
    try {
      task.run();
    } catch (Throwable e) { // an Error of one task must not end the others
      LimitedLog.warn("timer", "a timer's task failed: " + task.getClass().getName(), e);
    }
  }
}
