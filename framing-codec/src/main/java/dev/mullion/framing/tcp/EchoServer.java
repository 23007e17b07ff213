package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramePart;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * A running TCP server that answers each frame with itself: for trying clients, for measuring, and as
 * the smallest server to read.
 *
 * <pre>{@code
 * try (EchoServer server = EchoServer.builder().port(port).start()) {
 *   System.out.println("listening on " + server.address());
 *   server.awaitTermination();
 * }
 * }</pre>
 *
 * <p>What it does not accept: frames beyond {@link FrameFormat#maxFrameLength()} and bytes that break
 * the format close their connection, and are counted and logged; a connection beyond {@code
 * maxConnections} is closed at once; so is one that was idle for {@code idleTimeout}. A peer that does
 * not read its replies is not read from either once 64 KiB wait for it; it then holds up to 512 KiB of
 * read buffers and, if it has closed its sending side, what the kernel had received from it. A peer
 * that closes its sending side still gets its replies. A frame that is longer than one read is sent
 * back as it comes.
 *
 * <p>Its threads are daemon threads. All methods may be called by any thread but the server's own.
 */
public final class EchoServer implements AutoCloseable {
  private static final int LOW_WATER = 32 * 1024;
  private static final int HIGH_WATER = 64 * 1024;

  private final FramedServer server;

  private EchoServer(FramedServer server) {
    this.server = server;
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Returns the port it listens on. */
  public int port() {
    return server.port();
  }

  /** Returns the address it listens on. */
  public InetSocketAddress address() {
    return (InetSocketAddress) server.address();
  }

  /** Returns the transport in use, never {@link Transport#AUTO}. */
  public Transport transport() {
    return server.transport();
  }

  /** Returns the counters, which go on after it has stopped. */
  public TcpCounters counters() {
    return server.counters();
  }

  /** Returns whether it has stopped, with every connection closed. */
  public boolean isTerminated() {
    return server.isTerminated();
  }

  /** Waits until it has stopped. */
  public void awaitTermination() throws InterruptedException {
    server.awaitTermination();
  }

  /**
   * Waits until it has stopped, for so long at most.
   *
   * @return whether it has stopped
   */
  public boolean awaitTermination(Duration timeout) throws InterruptedException {
    return server.awaitTermination(timeout);
  }

  /**
   * Stops: no more connections are accepted, what was received is answered, and each connection is
   * closed when its replies are sent. What is not done after the builder's {@code closeTimeout} is cut
   * and counted. Returns when everything is closed, at most 2 seconds after that; when the thread is
   * interrupted, that is at once. A second call cuts what is left when its own time is over.
   */
  @Override
  public void close() {
    server.close();
  }

  /** Collects the settings of an {@link EchoServer}. Not safe for use by several threads. */
  public static final class Builder {
    private final FramedServer.Builder server = FramedServer.builder()
        .batchHandler(Echo::new)
        .parts(true)
        .outboundLowWaterMark(LOW_WATER)
        .outboundHighWaterMark(HIGH_WATER)
        .threadName("mullion-echo");

    private Builder() {}

    /** Sets the address or name to listen on, {@code 127.0.0.1} by default. */
    public Builder host(String host) {
      server.host(host);
      return this;
    }

    /** Sets the port; 0, the default, takes any that is free. */
    public Builder port(int port) {
      server.port(port);
      return this;
    }

    /** Sets the format of the frames, {@link FrameFormat#defaults()} by default. */
    public Builder format(FrameFormat format) {
      server.format(format);
      return this;
    }

    /** Sets the transport, {@link Transport#AUTO} by default. */
    public Builder transport(Transport transport) {
      server.transport(transport);
      return this;
    }

    /** Sets the number of threads, 1 to 1024; by default there is one for each processor. */
    public Builder eventLoopThreads(int eventLoopThreads) {
      server.eventLoopThreads(eventLoopThreads);
      return this;
    }

    /** Sets how many connections may be open, 10,000 by default; more are closed at once. */
    public Builder maxConnections(int maxConnections) {
      server.maxConnections(maxConnections);
      return this;
    }

    /**
     * Sets how long a connection may stay without a byte in either direction, 5 minutes by default;
     * then it is closed. {@link Duration#ZERO} sets no limit.
     */
    public Builder idleTimeout(Duration idleTimeout) {
      server.idleTimeout(idleTimeout);
      return this;
    }

    /** Sets how long {@link EchoServer#close()} may take before it cuts, 5 seconds by default. */
    public Builder closeTimeout(Duration closeTimeout) {
      server.closeTimeout(closeTimeout);
      return this;
    }

    /**
     * Starts a server and returns it when it listens. If that fails, nothing is left running.
     *
     * @throws java.net.UnknownHostException if the host cannot be resolved
     * @throws java.net.BindException if the address cannot be listened on
     * @throws IllegalStateException if the transport is not available
     * @throws IOException if the server cannot be started otherwise
     */
    public EchoServer start() throws IOException {
      return new EchoServer(server.start());
    }
  }

  /** Sends the frames, and the parts of long frames, of each read back as they lie. */
  private static final class Echo implements BatchHandler {
    @Override
    public void frames(FramedConnection connection, FrameBatch batch) {
      connection.reply(batch.encoded());
    }

    @Override
    public void part(FramedConnection connection, FramePart part) {
      connection.reply(part.encoded());
    }
  }
}
