package dev.mullion.framing.tcp;

/**
 * Measures servers and clients with a library that may be absent; see {@link MicrometerMetrics}.
 * One observer may be used for any number of servers and clients.
 *
 * <p>Only that class refers to the library's types. Builders, servers and clients can be loaded,
 * reflected on and mocked without it.
 */
public abstract class TcpObserver {
  TcpObserver() {}

  /** Observes a started server until the returned action runs. */
  abstract Runnable observe(FramedServer server);

  /** Observes a connected client until the returned action runs. */
  abstract Runnable observe(FramedClient client);
}
