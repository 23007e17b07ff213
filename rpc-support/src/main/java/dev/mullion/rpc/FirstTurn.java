package dev.mullion.rpc;

import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/**
 * The executor of one call, whose first task may have to wait for a thread. A call that is over by then
 * takes its task out of a pool's queue, and runs it at once, which is short, since its service is not to
 * see it. So calls that are cancelled while they wait do not pile up there. Where the queue is out of
 * reach, the call keeps its place among {@code maxCalls} until its turn comes.
 *
 * <p>The tasks of a call come one after the other, so what follows the first is never in its way.
 */
final class FirstTurn implements Executor, Runnable {
  private final Executor threads;
  private final Runnable whenBegun;
  private volatile @Nullable Runnable first;
  private volatile boolean begun;
  private volatile boolean skipped;

  FirstTurn(Executor threads, Runnable whenBegun) {
    this.threads = threads;
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

  private void enqueue() {
    try {
      threads.execute(this);
    } catch (RejectedExecutionException full) {
      begin();
      throw full;
    }
  }

  private void begin() {
    begun = true;
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
