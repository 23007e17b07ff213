package dev.mullion.rpc;

import dev.mullion.net.base.DaemonThreads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadPoolExecutor;
import org.jspecify.annotations.Nullable;

/**
 * The threads of one server. Three kinds of tasks must not wait for each other:
 *
 * <ul>
 *   <li>calls: what services do; a body may hold its thread for hours;
 *   <li>deliveries: the events of streams whose bodies hold a thread of calls, such as the next
 *       request;
 *   <li>callbacks: what runs when a call is cancelled or the server stops, users' code of any
 *       length.
 * </ul>
 *
 * <p>Virtual threads never wait for a thread, so one executor serves all three. Else each has a
 * pool of its own.
 */
final class ServerThreads {
  /** Null if services run on the event loops. */
  final @Nullable Executor calls;

  final Executor deliveries;
  final Executor callbacks;

  /** What calls wait for if all threads are taken, or null if none ever waits. */
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

  /** Makes threads as a server's settings say; none of them starts before it is needed. */
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

  /** Lets the tasks that are there come to their end. */
  void shutdown() {
    own.forEach(ExecutorService::shutdown);
  }

  /** Interrupts the tasks that run. Those that wait for a thread are of calls that are over. */
  void shutdownNow() {
    own.forEach(each -> each.shutdownNow().forEach(CallThreads::runLate));
  }
}
