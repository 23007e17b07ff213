package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;

/** Runs what belongs to no event of a call, and counts what waits for that. */
final class Callbacks {
  private final Executor threads;
  private final ScheduledExecutorService timer;

  /** How many callbacks wait for a thread or run, including those of calls that are over. */
  private final AtomicInteger waiting = new AtomicInteger();

  Callbacks(Executor threads, ScheduledExecutorService timer) {
    this.threads = threads;
    this.timer = timer;
  }

  /** Runs the user's code on a thread that it may hold. */
  void run(Runnable task) {
    waiting.incrementAndGet();
    boolean taken = false;
    try {
      threads.execute(() -> {
        try {
          CallExecutor.run(task);
        } finally {
          waiting.decrementAndGet();
        }
      });
      taken = true;
    } finally {
      if (!taken) {
        waiting.decrementAndGet();
      }
    }
  }

  /** Runs something quick of ours on the timer, after a time. */
  Future<?> later(Runnable quick, long nanos) {
    return timer.schedule(quick, nanos, NANOSECONDS);
  }

  int waiting() {
    return waiting.get();
  }
}
