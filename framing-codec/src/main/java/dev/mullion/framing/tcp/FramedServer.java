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
 * <p>Nothing is without a bound, and what is refused, paused or cut is counted. By default: frames
 * up to 8 MiB ({@code format}), 10,000 connections, 256 KiB that wait for a handler and 1 MiB that
 * waits for a peer on each, a quarter of the heap over all; a connection may be idle for 5 minutes,
 * and a frame must be complete 30 seconds after its first byte. Beyond the memory budget those who
 * hold the most are not read from until there is room again.
 *
 * <p>Its threads are daemon threads. All methods may be called by any thread but its event loops'.
 */
public final class FramedServer implements AutoCloseable {
  private final TcpListener listener;
  private final Duration closeTimeout;

  private final Observation observation = new Observation();

  /** Closes it when the JVM ends; registered by choice only. */
  final ShutdownHook hook = new ShutdownHook("mullion-server-shutdown", this::close);

  FramedServer(TcpListener listener, Duration closeTimeout) {
    this.listener = listener;
    this.closeTimeout = closeTimeout;
  }

  /** Returns a builder that holds the defaults. */
  public static FramedServerBuilder builder() {
    return new FramedServerBuilder();
  }

  /** Returns the port it listens on, or -1 if that is a path. */
  public int port() {
    return listener.address() instanceof InetSocketAddress address ? address.getPort() : -1;
  }

  /** Returns the address it listens on. */
  public SocketAddress address() {
    return listener.address();
  }

  /** Returns the transport in use, never {@link Transport#AUTO}. */
  public Transport transport() {
    return listener.transport();
  }

  /** Returns the counters, which go on after it has stopped. */
  public TcpCounters counters() {
    return listener.counters();
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections
   * continue as they are.
   *
   * @return whether they have changed
   * @throws IOException if one cannot be used; the previous ones stay in use
   * @throws IllegalStateException if the server has no TLS
   */
  public boolean reloadTls() throws IOException {
    return listener.tls().reload();
  }

  /**
   * Returns what became of changed TLS files.
   *
   * @throws IllegalStateException if the server has no TLS
   */
  public TlsState tlsState() {
    return listener.tls().state();
  }

  /** Returns how many bytes all connections hold together: incomplete, not handled, not sent. */
  public long memoryUsed() {
    return listener.memoryUsed();
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

  /** Stops within the builder's {@code closeTimeout}; see {@link #stop}. */
  @Override
  public void close() {
    stop(closeTimeout);
  }

  /**
   * Stops: no more connections are accepted and the handlers are told ({@link
   * FramedConnection#isStopping}, {@link BatchHandler#stopping}). What has come is handled and
   * answered; a connection on which nothing comes any more then gets the end of its input, and is
   * closed when its handler has ended and everything is sent: when its client has ended too, or has
   * sent nothing for a third of a second ({@link TcpCounters#closesUnconfirmed}). What is left
   * after the timeout is closed by force, and the threads of blocking handlers are interrupted, but
   * for those of an {@code executor}. When the calling thread is interrupted, that is at once.
   *
   * <p>It returns at most 2 seconds after the timeout. If a callback holds an event loop until
   * then, the connections of that loop are counted as cut, and are closed when the callback
   * returns; a line in the log tells what it does, and {@link #isTerminated} returns {@code false}
   * until then.
   *
   * <p>A second call waits for the first, and has it cut when its own timeout is over.
   *
   * @return what was done; for a second call a report without connections
   */
  public StopReport stop(Duration timeout) {
    StopReport report = listener.stop(Check.notNegative(timeout, "timeout"));
    hook.remove();
    observation.close();
    return report == null ? new StopReport(Duration.ZERO, 0, 0, 0, 0) : report;
  }

  /** Begins what lasts until the stop. */
  void begin(Collection<TcpObserver> observers, boolean closedWithTheJvm) {
    observation.begin(observers, each -> each.observe(this));
    if (closedWithTheJvm) {
      hook.register();
    }
  }
}
