package dev.mullion.rpc;

import io.grpc.Attributes;
import io.grpc.ServerTransportFilter;
import io.grpc.Status;
import java.util.concurrent.CountDownLatch;

/**
 * Counts the connections, and lets the first ones wait until the server has started: gRPC's listens
 * a moment before it can take calls, and would fail those that come in between.
 */
final class ConnectionTracker extends ServerTransportFilter {
  private final RpcCounters counters;
  private final CountDownLatch started = new CountDownLatch(1);
  private volatile boolean failed;

  ConnectionTracker(RpcCounters counters) {
    this.counters = counters;
  }

  /** If it has not, one of its addresses may have taken connections before another could not. */
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

  /** Without attributes it was never ready: the peer has not spoken HTTP/2. */
  @Override
  public void transportTerminated(Attributes attributes) {
    if (attributes != null) {
      counters.connectionsOpen.decrementAndGet();
    }
  }
}
