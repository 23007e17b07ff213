package dev.mullion.rpc;

import dev.mullion.net.base.DaemonThreads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/**
 * The threads of one server. There are three kinds of tasks, which must not wait for each other:
 *
 * <ul>
 *   <li>calls: the methods of services, whose bodies may block their threads for hours;
 *   <li>deliveries: the events of streams whose bodies occupy a call thread, such as the next
 *       request;
 *   <li>callbacks: user code that runs when a call is cancelled or the server stops, for any time.
 * </ul>
 *
 * <p>Tasks on virtual threads never wait for a thread, so one executor serves all three kinds.
 * Otherwise each kind has its own pool.
 */
final class ServerThreads {
  /** Null if services run on the event loops. */
  final @Nullable Executor calls;

  final Executor deliveries;
  final Executor callbacks;

  /** The resource that calls wait for if all threads are busy, or null if calls never wait. */
  final @Nullable String scarce;

  private final List<ExecutorService> own = new ArrayList<>();

  private ServerThreads(@Nullable Executor executor, boolean direct, int most) {
    ExecutorService virtual = CallThreads.virtual();
    if (virtual != null) {
      own.add(virtual);
    }
    calls = direct || executor != null ? executor : pool(virtual, most);
    callbacks = pool(virtual, most);
    deliveries = pool(virtual, most);
    scarce = executor != null
        ? "executor"
        : calls instanceof ThreadPoolExecutor ? "maxHandlerThreads " + most : null;
  }

  /** Creates the threads for a server's settings; each starts when it is needed. */
  static ServerThreads of(RpcServerBuilder settings) {
    return new ServerThreads(
        settings.executor,
        settings.directExecutor,
        settings.maxHandlerThreads == 0 ? DaemonThreads.DEFAULT_MAX : settings.maxHandlerThreads);
  }

  private Executor pool(@Nullable ExecutorService virtual, int most) {
    if (virtual != null) {
      return CallThreads.alsoAfterShutdown(virtual);
    }
    ThreadPoolExecutor pool = CallThreads.platform(most);
    own.add(pool);
    return pool;
  }

  /** Lets current tasks finish. */
  void shutdown() {
    own.forEach(ExecutorService::shutdown);
  }

  /**
   * Interrupts the running tasks. Waiting tasks belong to calls that are over, and run elsewhere.
   */
  void shutdownNow() {
    own.forEach(each -> each.shutdownNow().forEach(CallThreads::runLate));
  }
}
