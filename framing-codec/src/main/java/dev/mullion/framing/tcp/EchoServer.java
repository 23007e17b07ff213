package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameFormat;
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
  private final TcpListener listener;

  private EchoServer(TcpListener listener) {
    this.listener = listener;
  }

  /** Returns a builder that holds the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Returns the port it listens on. */
  public int port() {
    return address().getPort();
  }

  /** Returns the address it listens on. */
  public InetSocketAddress address() {
    return listener.address();
  }

  /** Returns the transport in use, never {@link Transport#AUTO}. */
  public Transport transport() {
    return listener.transport();
  }

  /** Returns the counters, which go on after it has stopped. */
  public ServerCounters counters() {
    return listener.counters();
  }

  /** Returns whether it has stopped, with every connection closed. */
  public boolean isTerminated() {
    return listener.isTerminated();
  }

  /** Waits until it has stopped. */
  public void awaitTermination() throws InterruptedException {
    listener.awaitTermination();
  }

  /**
   * Waits until it has stopped, for so long at most.
   *
   * @return whether it has stopped
   */
  public boolean awaitTermination(Duration timeout) throws InterruptedException {
    return listener.awaitTermination(requireNonNull(timeout, "timeout"));
  }

  /**
   * Stops: no more connections are accepted, what was received is answered, and each connection is
   * closed when its replies are sent. What is not done after the builder's {@code closeTimeout} is cut
   * and counted. Returns when everything is closed; when the thread is interrupted, that is at once. A
   * second call waits for the first.
   */
  @Override
  public void close() {
    listener.close();
  }

  /** Collects the settings of an {@link EchoServer}. Not safe for use by several threads. */
  public static final class Builder {
    private String host = "127.0.0.1";
    private int port;
    private FrameFormat format = FrameFormat.defaults();
    private Transport transport = Transport.AUTO;
    private int eventLoopThreads = Runtime.getRuntime().availableProcessors();
    private int maxConnections = 10_000;
    private Duration idleTimeout = Duration.ofMinutes(5);
    private Duration closeTimeout = Duration.ofSeconds(5);

    private Builder() {}

    /** Sets the address or name to listen on, {@code 127.0.0.1} by default. */
    public Builder host(String host) {
      this.host = requireNonNull(host, "host");
      if (host.isBlank()) {
        throw new IllegalArgumentException("host: \"" + host + "\" (expected: a name or address)");
      }
      return this;
    }

    /** Sets the port; 0, the default, takes any that is free. */
    public Builder port(int port) {
      this.port = within(port, 0, 65535, "port");
      return this;
    }

    /** Sets the format of the frames, {@link FrameFormat#defaults()} by default. */
    public Builder format(FrameFormat format) {
      this.format = requireNonNull(format, "format");
      return this;
    }

    /** Sets the transport, {@link Transport#AUTO} by default. */
    public Builder transport(Transport transport) {
      this.transport = requireNonNull(transport, "transport");
      return this;
    }

    /** Sets the number of threads, 1 to 1024; by default there is one for each processor. */
    public Builder eventLoopThreads(int eventLoopThreads) {
      this.eventLoopThreads = within(eventLoopThreads, 1, 1024, "eventLoopThreads");
      return this;
    }

    /** Sets how many connections may be open, 10,000 by default; more are closed at once. */
    public Builder maxConnections(int maxConnections) {
      this.maxConnections = within(maxConnections, 1, Integer.MAX_VALUE, "maxConnections");
      return this;
    }

    /**
     * Sets how long a connection may stay without a byte in either direction, 5 minutes by default;
     * then it is closed. {@link Duration#ZERO} sets no limit.
     */
    public Builder idleTimeout(Duration idleTimeout) {
      this.idleTimeout = notNegative(idleTimeout, "idleTimeout");
      return this;
    }

    /** Sets how long {@link EchoServer#close()} may take before it cuts, 5 seconds by default. */
    public Builder closeTimeout(Duration closeTimeout) {
      this.closeTimeout = notNegative(closeTimeout, "closeTimeout");
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
      TcpSettings settings = new TcpSettings(
          host,
          port,
          format,
          transport,
          eventLoopThreads,
          maxConnections,
          idleTimeout,
          closeTimeout);
      return new EchoServer(TcpListener.start(settings));
    }

    private static int within(int value, int least, int most, String name) {
      if (value < least || value > most) {
        String expected = most == Integer.MAX_VALUE ? ">= " + least : least + " to " + most;
        throw new IllegalArgumentException(name + ": " + value + " (expected: " + expected + ")");
      }
      return value;
    }

    private static Duration notNegative(Duration value, String name) {
      if (requireNonNull(value, name).isNegative()) {
        throw new IllegalArgumentException(name + ": " + value + " (expected: >= PT0S)");
      }
      return value;
    }
  }
}
