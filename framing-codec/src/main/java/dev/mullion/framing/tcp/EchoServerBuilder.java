package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameFormat;
import java.io.IOException;
import java.time.Duration;

/** Collects the settings of an {@link EchoServer}. Not safe for use by several threads. */
public final class EchoServerBuilder {
  private final FramedServerBuilder server = FramedServer.builder()
      .batchHandler(() -> EchoServer.ECHO)
      .parts(true)
      .outboundLowWaterMark(EchoServer.LOW_WATER)
      .outboundHighWaterMark(EchoServer.HIGH_WATER)
      .threadName("mullion-echo");

  EchoServerBuilder() {}

  /** Sets the address or host name to listen on, {@code 127.0.0.1} by default. */
  public EchoServerBuilder host(String host) {
    server.host(host);
    return this;
  }

  /** Sets the port; 0, the default, picks a free one. */
  public EchoServerBuilder port(int port) {
    server.port(port);
    return this;
  }

  /** Sets the frame format, {@link FrameFormat#defaults()} by default. */
  public EchoServerBuilder format(FrameFormat format) {
    server.format(format);
    return this;
  }

  /** Sets the transport, {@link Transport#AUTO} by default. */
  public EchoServerBuilder transport(Transport transport) {
    server.transport(transport);
    return this;
  }

  /** Sets the number of threads, 1 to 1024; the default is one per processor. */
  public EchoServerBuilder eventLoopThreads(int eventLoopThreads) {
    server.eventLoopThreads(eventLoopThreads);
    return this;
  }

  /** Sets the maximum number of open connections, 10,000 by default; more are closed at once. */
  public EchoServerBuilder maxConnections(int maxConnections) {
    server.maxConnections(maxConnections);
    return this;
  }

  /**
   * Sets the time after which a connection without a byte in either direction is closed, 5 minutes
   * by default. {@link Duration#ZERO} sets no limit.
   */
  public EchoServerBuilder idleTimeout(Duration idleTimeout) {
    server.idleTimeout(idleTimeout);
    return this;
  }

  /** Sets how long {@link EchoServer#close()} drains before it cuts, 5 seconds by default. */
  public EchoServerBuilder closeTimeout(Duration closeTimeout) {
    server.closeTimeout(closeTimeout);
    return this;
  }

  /**
   * Sets whether the server is closed when the JVM ends, for instance by Ctrl-C or SIGTERM; off by
   * default.
   */
  public EchoServerBuilder shutdownHook(boolean shutdownHook) {
    server.shutdownHook(shutdownHook);
    return this;
  }

  /**
   * Adds an observer of the counters: {@code observe(MicrometerMetrics.of(registry))}. It replaces
   * an earlier observer of the same kind.
   */
  public EchoServerBuilder observe(TcpObserver observer) {
    server.observe(observer);
    return this;
  }

  /**
   * Starts the server; returns when it is listening. If that fails, nothing is left running.
   *
   * @throws java.net.UnknownHostException if the host cannot be resolved
   * @throws java.net.BindException if the address cannot be bound
   * @throws IllegalStateException if the transport is not available
   * @throws IOException if the server cannot be started for another reason
   */
  public EchoServer start() throws IOException {
    return new EchoServer(server.start());
  }
}
