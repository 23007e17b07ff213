package dev.mullion.rpc;

import io.netty.util.internal.ThreadExecutorMap;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Access to the event loop of a call, for streams that write many small messages: a task there
 * writes what has gathered until the loop runs it, so threads that add messages need not write each
 * for itself.
 */
public final class EventLoops {
  private EventLoops() {}

  /**
   * Returns an executor of the event loop that runs the current thread; null if none does. The
   * events of a client's call arrive on that of its connection if its executor runs them directly;
   * on a server {@link ReadySignal} does.
   *
   * <p>A task must be short and must not block, since the loop serves other connections too. Once
   * the loop has ended, tasks are rejected.
   */
  public static @Nullable Executor current() {
    return ThreadExecutorMap.currentExecutor();
  }
}
