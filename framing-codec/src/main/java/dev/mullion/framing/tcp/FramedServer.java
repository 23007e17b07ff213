package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.StopReport;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.ShutdownHook;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Collection;

/**
 * A running server of framed connections.
 *
 * <pre>{@code
 *                         +--- ConnectionHandler   blocking, a thread for each connection
 *  peers --> FramedServer +--- BatchHandler        on the event loop, for speed
 *                         +--- reactive            Flow.Publisher and Flow.Subscriber
 * }</pre>
 *
 * <pre>{@code
 * FramedServer server = FramedServer.builder()
 *     .port(port)
 *     .handler(connection -> {
 *       for (byte[] frame : connection) {
 *         connection.send(frame);
 *       }
 *     })
 *     .start();
 * }</pre>
 *
 * <p>Every queue and buffer is bounded, and rejected, paused or cut work is counted. The defaults
 * per connection: frames of up to 8 MiB ({@code format}), 256 KiB waiting for a handler, 1 MiB
 * queued for the peer, 5 minutes idle, and 30 seconds from a frame's first byte to its last. All
 * together: 10,000 connections and a memory budget of a quarter of the heap. Beyond the budget,
 * reading pauses on the largest holders until there is room again.
 *
 * <p>Its threads are daemon threads. Methods may be called from any thread except its event loops'.
 */
public final class FramedServer implements AutoCloseable {
  private final TcpListener listener;
  private final Duration closeTimeout;

  private final Observation observation = new Observation();

  /** Closes the server when the JVM ends; registered only on request. */
  final ShutdownHook hook = new ShutdownHook("mullion-server-shutdown", this::close);

  FramedServer(TcpListener listener, Duration closeTimeout) {
    this.listener = listener;
    this.closeTimeout = closeTimeout;
  }

  /** Returns a builder that holds the defaults. */
  public static FramedServerBuilder builder() {
    return new FramedServerBuilder();
  }

  /** Returns the port that it listens on, or -1 for a path. */
  public int port() {
    return listener.address() instanceof InetSocketAddress address ? address.getPort() : -1;
  }

  /** Returns the address that it listens on. */
  public SocketAddress address() {
    return listener.address();
  }

  /** Returns the transport in use, never {@link Transport#AUTO}. */
  public Transport transport() {
    return listener.transport();
  }

  /** Returns the counters; they remain available after it has stopped. */
  public TcpCounters counters() {
    return listener.counters();
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections are
   * not affected.
   *
   * @return whether they have changed
   * @throws IOException if a file cannot be used; the previous ones stay in use
   * @throws IllegalStateException if the server has no TLS
   */
  public boolean reloadTls() throws IOException {
    return listener.tls().reload();
  }

  /**
   * Returns the state of the TLS files and their reloads.
   *
   * @throws IllegalStateException if the server has no TLS
   */
  public TlsState tlsState() {
    return listener.tls().state();
  }

  /** Returns how many bytes all connections hold: incomplete, not handled, or not sent. */
  public long memoryUsed() {
    return listener.memoryUsed();
  }

  /** Returns whether it has stopped and every connection is closed. */
  public boolean isTerminated() {
    return listener.isTerminated();
  }

  /** Waits until it has stopped. */
  public void awaitTermination() throws InterruptedException {
    listener.awaitTermination();
  }

  /**
   * Waits until it has stopped, up to the timeout.
   *
   * @return whether it has stopped
   */
  public boolean awaitTermination(Duration timeout) throws InterruptedException {
    return listener.awaitTermination(requireNonNull(timeout, "timeout"));
  }

  /** Stops within the builder's {@code closeTimeout}; see {@link #stop}. */
  @Override
  public void close() {
    stop(closeTimeout);
  }

  /**
   * Stops gracefully: no more connections are accepted and the handlers are notified ({@link
   * FramedConnection#isStopping}, {@link BatchHandler#stopping}). Received frames are handled and
   * answered. Once nothing more arrives on a connection, its input ends. The connection is closed
   * when its handler has returned, everything is sent, and its client has ended too or has sent
   * nothing for a third of a second ({@link TcpCounters#closesUnconfirmed}). After the timeout the
   * remaining connections are closed by force, and the threads of blocking handlers are
   * interrupted, except those of an {@code executor}. If the calling thread is interrupted, that
   * happens at once.
   *
   * <p>It returns at most 2 seconds after the timeout. If a callback still holds an event loop
   * then, the connections of that loop are counted as cut and close when the callback returns. The
   * log shows what the callback does, and {@link #isTerminated} returns {@code false} until then.
   *
   * <p>A second call waits for the first, and cuts the remaining connections when its own timeout
   * is over.
   *
   * @return what the stop did; for a second call a report without connections
   */
  public StopReport stop(Duration timeout) {
    StopReport report = listener.stop(Check.notNegative(timeout, "timeout"));
    hook.remove();
    observation.close();
    return report == null ? new StopReport(Duration.ZERO, 0, 0, 0, 0) : report;
  }

  /** Begins observing and registers the shutdown hook. */
  void begin(Collection<TcpObserver> observers, boolean closedWithTheJvm) {
    observation.begin(observers, each -> each.observe(this));
    if (closedWithTheJvm) {
      hook.register();
    }
  }
}
