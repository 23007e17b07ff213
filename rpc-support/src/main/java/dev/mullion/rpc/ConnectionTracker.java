package dev.mullion.rpc;

import io.grpc.Attributes;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import java.util.concurrent.CountDownLatch;

/**
 * Counts connections, and makes the first ones wait until the server has started. gRPC listens
 * shortly before it can accept calls, and would fail calls that arrive in between.
 */
final class ConnectionTracker extends ServerTransportFilter {
  private final RpcCounters counters;
  private final CountDownLatch started = new CountDownLatch(1);
  private volatile boolean failed;

  ConnectionTracker(RpcCounters counters) {
    this.counters = counters;
  }

  /**
   * Ends the wait. If the start failed at one address, another may already have accepted
   * connections.
   */
  void started(boolean well) {
    failed = !well;
    started.countDown();
  }

  @Override
  public Attributes transportReady(Attributes attributes) {
    try {
      started.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (failed) {
      throw Status.UNAVAILABLE.withDescription("server has not started").asRuntimeException();
    }
    counters.connectionsOpen.incrementAndGet();
    counters.connectionsOpened.increment();
    return PeerMetadata.with(attributes);
  }

  /** A transport without attributes was never ready: the peer did not speak HTTP/2. */
  @Override
  public void transportTerminated(Attributes attributes) {
    if (attributes != null) {
      counters.connectionsOpen.decrementAndGet();
    }
  }
}
