package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import java.lang.System.Logger.Level;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicBoolean;
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
  private enum Event {
    EXECUTOR_FAILED
  }

  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(FirstTurn.class.getName()), Event.class);

  private final Executor threads;
  private final AtomicInteger waiting;
  private final Runnable whenBegun;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final long since = System.nanoTime();
  private volatile @Nullable Runnable first;
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
      hand(task);
    }
  }

  /** Returns whether the call has waited longer than a time. */
  boolean waitsLongerThan(long nanos) {
    return first != null && !begun.get() && System.nanoTime() - since > nanos;
  }

  private void enqueue() {
    waiting.incrementAndGet();
    try {
      hand(this);
    } catch (RejectedExecutionException full) {
      if (begin()) {
        throw full;
      }
      // The executor has begun it before it failed.
    }
  }

  /**
   * An executor may throw anything, such as an {@link OutOfMemoryError} if no thread can be
   * started. That rejects this call, and affects no other.
   */
  private void hand(Runnable task) {
    try {
      threads.execute(task);
    } catch (RejectedExecutionException full) {
      throw full;
    } catch (Throwable thrown) {
      LOG.log(
          Event.EXECUTOR_FAILED, Level.ERROR, null, () -> "the server's executor failed", thrown);
      throw new RejectedExecutionException("the server's executor failed", thrown);
    }
  }

  /** Ends the waiting; returns whether this call of the method did. */
  private boolean begin() {
    if (!begun.compareAndSet(false, true)) {
      return false;
    }
    waiting.decrementAndGet();
    whenBegun.run();
    return true;
  }

  @Override
  public void run() {
    Runnable task = first;
    if (begin() && task != null) {
      task.run();
    }
  }

  /** Called when the call is over. */
  void skip() {
    if (!begun.get() && threads instanceof ThreadPoolExecutor pool && pool.remove(this)) {
      skipped = true;
      run();
    }
  }
}
