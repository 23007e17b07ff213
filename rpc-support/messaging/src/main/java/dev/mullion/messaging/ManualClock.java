package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.PriorityQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A clock for tests: time passes only by {@link #advance}, and timers run inside that call. */
public final class ManualClock implements MessagingClock {
  private static final long START_MILLIS = 1_767_225_600_000L; // 2026-01-01T00:00:00Z

  private final Object lock = new Object();
  private final PriorityQueue<Task> tasks = new PriorityQueue<>(Task::compare);
  private long nanos;
  private long scheduled;

  /** Creates a clock that stands at 1 January 2026, 00:00 UTC. */
  public ManualClock() {}

  /**
   * Lets time pass, and runs the timers that are due, in order, on the calling thread. Timers that
   * these set run too if they are due in that time. What a task throws is thrown from here, once
   * all have run.
   */
  public void advance(Duration time) {
    long end;
    synchronized (lock) {
      end = nanos + Arguments.notNegative(time, "time").toNanos();
    }
    Throwable failure = null;
    for (Task task = next(end); task != null; task = next(end)) {
      try {
        task.work.run();
      } catch (Throwable e) { // thrown below
        if (failure == null) {
          failure = e;
        } else if (failure != e) {
          failure.addSuppressed(e);
        }
      }
    }
    rethrow(failure);
  }

  /** Returns the next task that is due by then, at its time; without one it is that time. */
  private @Nullable Task next(long end) {
    synchronized (lock) {
      Task task = tasks.peek();
      if (task == null || task.due > end) {
        nanos = Math.max(nanos, end);
        return null;
      }
      tasks.remove();
      nanos = Math.max(nanos, task.due);
      return task;
    }
  }

  private static void rethrow(@Nullable Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure instanceof RuntimeException exception) {
      throw exception;
    }
    if (failure != null) {
      throw new IllegalStateException("a timer's task failed", failure);
    }
  }

  @Override
  public long nanoTime() {
    synchronized (lock) {
      return nanos;
    }
  }

  @Override
  public long currentTimeMillis() {
    return START_MILLIS + TimeUnit.NANOSECONDS.toMillis(nanoTime());
  }

  /** Schedules a task; it never runs inside this call, not even with a delay of 0. */
  @Override
  public Timer schedule(Duration delay, Runnable task) {
    requireNonNull(task, "task");
    synchronized (lock) {
      long wait = delay.isNegative() ? 0 : TimeUnit.NANOSECONDS.convert(delay);
      long due = nanos + wait < 0 ? Long.MAX_VALUE : nanos + wait;
      return add(due, task);
    }
  }

  /**
   * Schedules a task for a time. If {@link #advance} has passed that time already, the task runs at
   * once on the thread of the system's timers: no later {@code advance} has to come.
   */
  @Override
  public Timer scheduleAt(long nanoTime, Runnable task) {
    requireNonNull(task, "task");
    synchronized (lock) {
      if (nanoTime - nanos > 0) {
        return add(nanoTime < 0 ? Long.MAX_VALUE : nanoTime, task);
      }
    }
    return MessagingClock.system().schedule(Duration.ZERO, task);
  }

  private Timer add(long due, Runnable task) { // under the lock
    Task added = new Task(due, scheduled++, task);
    tasks.add(added);
    return () -> cancel(added);
  }

  private void cancel(Task task) {
    synchronized (lock) {
      tasks.remove(task);
    }
  }

  /** One scheduled task; equal only to itself. */
  private static final class Task {
    private final long due;
    private final long number;
    private final Runnable work;

    private Task(long due, long number, Runnable work) {
      this.due = due;
      this.number = number;
      this.work = work;
    }

    private static int compare(Task one, Task other) {
      int order = Long.compare(one.due, other.due);
      return order != 0 ? order : Long.compare(one.number, other.number);
    }
  }
}
