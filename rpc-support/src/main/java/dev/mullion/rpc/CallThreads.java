package dev.mullion.rpc;

import dev.mullion.net.base.DaemonThreads;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/** Makes the threads that services run on. */
final class CallThreads {
  static final String NAME = "mullion-call-";

  private CallThreads() {}

  /** Returns {@code null} if this JDK has none. */
  static @Nullable ExecutorService virtual() {
    return DaemonThreads.virtual(NAME);
  }

  /**
   * Returns an executor on these threads that takes what comes after their shutdown too: gRPC still
   * has to do something for calls that are over, and without it their messages would leak. A pool
   * does so by itself.
   */
  static Executor alsoAfterShutdown(ExecutorService threads) {
    if (threads instanceof ThreadPoolExecutor) {
      return threads;
    }
    return new Lasting(threads);
  }

  /** Runs a task after the shutdown. It may come from an event loop, which is not to run it. */
  static void runLate(Runnable task) {
    DaemonThreads.named(NAME + "late").newThread(() -> CallExecutor.run(task)).start();
  }

  /**
   * Returns whether what waits there for a thread cannot be taken back. In a pool it can, and on
   * virtual threads nothing waits.
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
