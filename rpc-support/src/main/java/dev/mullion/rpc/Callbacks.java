package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;

/** Runs callbacks outside the events of calls, and counts those that are waiting or running. */
final class Callbacks {
  private final Executor threads;
  private final ScheduledExecutorService timer;

  /** How many callbacks are waiting or running, including those of calls that are over. */
  private final AtomicInteger waiting = new AtomicInteger();

  Callbacks(Executor threads, ScheduledExecutorService timer) {
    this.threads = threads;
    this.timer = timer;
  }

  /** Runs user code on a thread that it may block. */
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

  /** Runs a short internal task on the timer after a delay. */
  Future<?> later(Runnable quick, long nanos) {
    return timer.schedule(quick, nanos, NANOSECONDS);
  }

  int waiting() {
    return waiting.get();
  }
}
