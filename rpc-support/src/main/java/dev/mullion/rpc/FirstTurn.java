package dev.mullion.rpc;

import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The executor of one call, whose first task may have to wait for a thread. Cancelling a call
 * removes its task from a pool's queue and runs it at once; it is short, since the service does not
 * see the call. So calls that are cancelled while they wait do not accumulate in the queue. If the
 * queue is not accessible, the call keeps its place among {@code maxCalls} until its turn comes.
 *
 * <p>The tasks of a call run one after the other, so later tasks never overtake the first.
 */
final class FirstTurn implements Executor, Runnable {
  private final Executor threads;
  private final AtomicInteger waiting;
  private final Runnable whenBegun;
  private final long since = System.nanoTime();
  private volatile @Nullable Runnable first;
  private volatile boolean begun;
  private volatile boolean skipped;

  /** Takes the counter of waiting calls, and an action that runs when this call stops waiting. */
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

  /** Returns whether the call has waited longer than a time. */
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
