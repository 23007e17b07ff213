package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramePart;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * A running TCP server that echoes each frame. Use it to try clients, to measure, and as the
 * smallest server to read.
 *
 * <pre>{@code
 * try (EchoServer server = EchoServer.builder().port(port).start()) {
 *   System.out.println("listening on " + server.address());
 *   server.awaitTermination();
 * }
 * }</pre>
 *
 * <p>Oversized frames ({@link FrameFormat#maxFrameLength()}) and bytes that break the format close
 * their connection; they are counted and logged. A connection beyond {@code maxConnections} is
 * closed at once; a connection idle for {@code idleTimeout} is closed too. If a peer does not read
 * its replies, reading from it pauses once 64 KiB are queued. It then holds up to 512 KiB of read
 * buffers and, if it has closed its sending side, the bytes that the kernel had received from it. A
 * peer that closes its sending side still gets its replies. A frame longer than one read is echoed
 * part by part.
 *
 * <p>Its threads are daemon threads. Methods may be called from any thread except the server's own.
 */
public final class EchoServer implements AutoCloseable {
  static final int LOW_WATER = 32 * 1024;
  static final int HIGH_WATER = 64 * 1024;

  /** Serves all connections: it has no state. */
  static final BatchHandler ECHO = new Echo();

  private final FramedServer server;

  EchoServer(FramedServer server) {
    this.server = server;
  }

  /** Returns a builder that holds the defaults. */
  public static EchoServerBuilder builder() {
    return new EchoServerBuilder();
  }

  /** Returns the port that it listens on. */
  public int port() {
    return server.port();
  }

  /** Returns the address that it listens on. */
  public InetSocketAddress address() {
    return (InetSocketAddress) server.address();
  }

  /** Returns the transport in use, never {@link Transport#AUTO}. */
  public Transport transport() {
    return server.transport();
  }

  /** Returns the counters; they remain available after it has stopped. */
  public TcpCounters counters() {
    return server.counters();
  }

  /** Returns whether it has stopped and every connection is closed. */
  public boolean isTerminated() {
    return server.isTerminated();
  }

  /** Waits until it has stopped. */
  public void awaitTermination() throws InterruptedException {
    server.awaitTermination();
  }

  /**
   * Waits until it has stopped, up to the timeout.
   *
   * @return whether it has stopped
   */
  public boolean awaitTermination(Duration timeout) throws InterruptedException {
    return server.awaitTermination(timeout);
  }

  /**
   * Stops gracefully: no more connections are accepted, received frames are answered, and each
   * connection is closed once its replies are sent. Connections still open after the builder's
   * {@code closeTimeout} are cut and counted. Returns when everything is closed, at most 2 seconds
   * after the timeout; if the thread is interrupted, it cuts at once. A second call cuts the
   * remaining connections when its own time is over.
   */
  @Override
  public void close() {
    server.close();
  }

  /** Sends back the frames of each read and the parts of long frames. */
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
