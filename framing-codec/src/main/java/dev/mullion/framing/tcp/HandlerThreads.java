package dev.mullion.framing.tcp;

import dev.mullion.net.base.DaemonThreads;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadPoolExecutor;

/** Creates the threads of blocking handlers, one for each connection. */
final class HandlerThreads {
  private static final String NAME = "mullion-connection-";

  private HandlerThreads() {}

  /**
   * Returns an executor of virtual threads where the JDK has them. Otherwise it has at most {@code
   * maxHandlerThreads} platform threads; further tasks wait for a free one. The caller shuts it
   * down.
   */
  static ExecutorService create(int maxHandlerThreads) {
    ExecutorService virtual = DaemonThreads.virtual(NAME);
    return virtual == null ? platform(maxHandlerThreads) : virtual;
  }

  static ThreadPoolExecutor platform(int maxHandlerThreads) {
    return DaemonThreads.platform(NAME, maxHandlerThreads, new ThreadPoolExecutor.AbortPolicy());
  }
}
