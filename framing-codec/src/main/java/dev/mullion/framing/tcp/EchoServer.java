package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramePart;
import java.net.InetSocketAddress;
import java.time.Duration;

/**
 * A running TCP server that answers each frame with itself: for trying clients, for measuring, and
 * as the smallest server to read.
 *
 * <pre>{@code
 * try (EchoServer server = EchoServer.builder().port(port).start()) {
 *   System.out.println("listening on " + server.address());
 *   server.awaitTermination();
 * }
 * }</pre>
 *
 * <p>What it does not accept: frames beyond {@link FrameFormat#maxFrameLength()} and bytes that
 * break the format close their connection, and are counted and logged; a connection beyond {@code
 * maxConnections} is closed at once; so is one that was idle for {@code idleTimeout}. A peer that
 * does not read its replies is not read from either once 64 KiB wait for it; it then holds up to
 * 512 KiB of read buffers and, if it has closed its sending side, what the kernel had received from
 * it. A peer that closes its sending side still gets its replies. A frame that is longer than one
 * read is sent back as it comes.
 *
 * <p>Its threads are daemon threads. All methods may be called by any thread but the server's own.
 */
public final class EchoServer implements AutoCloseable {
  static final int LOW_WATER = 32 * 1024;
  static final int HIGH_WATER = 64 * 1024;

  private final FramedServer server;

  EchoServer(FramedServer server) {
    this.server = server;
  }

  /** Returns a builder that holds the defaults. */
  public static EchoServerBuilder builder() {
    return new EchoServerBuilder();
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
   * closed when its replies are sent. What is not done after the builder's {@code closeTimeout} is
   * cut and counted. Returns when everything is closed, at most 2 seconds after that; when the
   * thread is interrupted, that is at once. A second call cuts what is left when its own time is
   * over.
   */
  @Override
  public void close() {
    server.close();
  }

  /** Sends the frames, and the parts of long frames, of each read back as they lie. */
  static final class Echo implements BatchHandler {
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
