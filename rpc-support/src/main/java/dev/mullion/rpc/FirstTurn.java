package dev.mullion.rpc;

import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The executor of one call, whose first task may have to wait for a thread. A call that is over by
 * then takes its task out of a pool's queue, and runs it at once, which is short, since its service
 * is not to see it. So calls that are cancelled while they wait do not pile up there. Where the
 * queue is out of reach, the call keeps its place among {@code maxCalls} until its turn comes.
 *
 * <p>The tasks of a call come one after the other, so what follows the first is never in its way.
 */
final class FirstTurn implements Executor, Runnable {
  private final Executor threads;
  private final AtomicInteger waiting;
  private final Runnable whenBegun;
  private final long since = System.nanoTime();
  private volatile @Nullable Runnable first;
  private volatile boolean begun;
  private volatile boolean skipped;

  /** Takes what counts the calls that wait, and what is told when this one waits no more. */
  FirstTurn(Executor threads, AtomicInteger waiting, Runnable whenBegun) {
    this.threads = threads;
    this.waiting = waiting;
    this.whenBegun = whenBegun;
  }

  @Override
  public void execute(Runnable task) {
    if (skipped) {
      task.run();
    } else if (first == null) {
      first = task;
      enqueue();
    } else {
      threads.execute(task);
    }
  }

  /** Returns whether it has waited longer than that. */
  boolean waitsLongerThan(long nanos) {
    return first != null && !begun && System.nanoTime() - since > nanos;
  }

  private void enqueue() {
    waiting.incrementAndGet();
    try {
      threads.execute(this);
    } catch (RejectedExecutionException full) {
      begin();
      throw full;
    }
  }

  private void begin() {
    begun = true;
    waiting.decrementAndGet();
    whenBegun.run();
  }

  @Override
  public void run() {
    begin();
    Runnable task = first;
    if (task != null) {
      task.run();
    }
  }

  /** Called when the call is over. */
  void skip() {
    if (!begun && threads instanceof ThreadPoolExecutor pool && pool.remove(this)) {
      skipped = true;
      run();
    }
  }
}
