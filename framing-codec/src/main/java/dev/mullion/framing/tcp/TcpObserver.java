package dev.mullion.framing.tcp;

/**
 * Measures servers and clients with a library that may be absent: {@link MicrometerMetrics}. One
 * may be given to any number of servers and clients.
 *
 * <p>The types of that library are in that class only. Builders, servers and clients can be loaded,
 * reflected on and mocked without it.
 */
public abstract class TcpObserver {
  TcpObserver() {}

  /** Observes a server that has started, until what is returned is called. */
  abstract Runnable observe(FramedServer server);

  /** Observes a client that has connected, until what is returned is called. */
  abstract Runnable observe(FramedClient client);
}
