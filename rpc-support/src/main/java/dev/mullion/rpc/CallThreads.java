package dev.mullion.rpc;

import dev.mullion.net.base.DaemonThreads;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/** Creates the threads that run services. */
final class CallThreads {
  static final String NAME = "mullion-call-";

  private CallThreads() {}

  /** Returns {@code null} if this JDK has no virtual threads. */
  static @Nullable ExecutorService virtual() {
    return DaemonThreads.virtual(NAME);
  }

  /**
   * Returns an executor on these threads that also accepts tasks after their shutdown: gRPC must
   * still clean up calls that are over, or their messages would leak. A pool created here does so
   * itself.
   */
  static Executor alsoAfterShutdown(ExecutorService threads) {
    if (threads instanceof ThreadPoolExecutor) {
      return threads;
    }
    return new Lasting(threads);
  }

  /** Runs a task after the shutdown, on a new thread, since the caller may be an event loop. */
  static void runLate(Runnable task) {
    DaemonThreads.named(NAME + "late").newThread(() -> CallExecutor.run(task)).start();
  }

  /**
   * Returns whether a task that waits for a thread cannot be removed. A pool allows it, and on
   * virtual threads no task waits.
   */
  static boolean isOutOfReach(Executor threads) {
    return !(threads instanceof ThreadPoolExecutor || threads instanceof Lasting);
  }

  private record Lasting(ExecutorService threads) implements Executor {
    @Override
    public void execute(Runnable task) {
      try {
        threads.execute(task);
      } catch (RejectedExecutionException shutDown) {
        runLate(task);
      }
    }
  }

  /** Each call has one task at a time in its queue; see {@link FirstTurn}. */
  static ThreadPoolExecutor platform(int maxThreads) {
    return DaemonThreads.platform(NAME, maxThreads, (task, shutDown) -> runLate(task));
  }
}
