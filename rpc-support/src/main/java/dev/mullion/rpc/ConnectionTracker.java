package dev.mullion.rpc;

import io.grpc.Attributes;
import io.grpc.ServerTransportFilter;

/** Counts the connections. */
final class ConnectionTracker extends ServerTransportFilter {
  private final RpcCounters counters;

  ConnectionTracker(RpcCounters counters) {
    this.counters = counters;
  }

  @Override
  public Attributes transportReady(Attributes attributes) {
    counters.connectionsOpen.incrementAndGet();
    counters.connectionsOpened.increment();
    return attributes;
  }

  /** Without attributes it was never ready: the peer has not spoken HTTP/2. */
  @Override
  public void transportTerminated(Attributes attributes) {
    if (attributes != null) {
      counters.connectionsOpen.decrementAndGet();
    }
  }
}
