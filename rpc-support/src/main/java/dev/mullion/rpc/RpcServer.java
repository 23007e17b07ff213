package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.StopReport;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.ShutdownHook;
import io.grpc.Server;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * A running gRPC server with what production asks for: health and reflection, limits, timeouts, one
 * place for what exceptions mean, a graceful stop, counters. Services, interceptors and statuses
 * are gRPC's own types.
 *
 * <pre>{@code
 * try (RpcServer server = RpcServer.builder()
 *     .port(port)
 *     .addService(new GreeterService())
 *     .defaultTimeout(Duration.ofSeconds(10))
 *     .mapException(FileNotFoundException.class, missing -> Status.NOT_FOUND)
 *     .start()) {
 *   System.out.println("listening on " + server.address());
 *   server.awaitTermination();
 * }
 * }</pre>
 *
 * <p>By default it listens on {@code 127.0.0.1} and any free port, serves {@code grpc.health.v1}
 * and reflection (v1 and v1alpha), takes and sends messages up to 4 MiB and metadata up to 8 KiB,
 * and refuses what comes beyond 10,000 connections, 10,000 calls, or 1,000 calls on one connection.
 * Unary calls that come without a deadline may take a minute, streams as long as they like. {@link
 * RpcServerBuilder} says more of each setting.
 *
 * <p>Services run on virtual threads on JDK 21 and newer, else on a pool of 256; event loops and
 * timers are daemon threads. All methods may be called by any thread.
 */
public final class RpcServer implements AutoCloseable {
  private final Server server;
  private final ServerSockets sockets;
  private final List<SocketAddress> addresses;
  private final ServerStop.Parts parts;
  private final Duration shutdownDelay;
  private final Duration closeTimeout;
  private final AtomicBoolean stopping = new AtomicBoolean();
  private final CountDownLatch stopped = new CountDownLatch(1);

  /** Is told of each step of a stop; a test has one fail. */
  volatile Consumer<String> beforeStopStep = step -> {};

  /** Runs when the JVM ends; registered by choice only. */
  final ShutdownHook hook = new ShutdownHook("mullion-rpc-shutdown", this::close);

  RpcServer(Server server, ServerStop.Parts parts, Duration shutdownDelay, Duration closeTimeout) {
    this.server = server;
    this.parts = parts;
    this.sockets = parts.sockets();
    this.addresses = sockets.started(server);
    this.shutdownDelay = shutdownDelay;
    this.closeTimeout = closeTimeout;
  }

  /** Returns a builder that holds the defaults. */
  public static RpcServerBuilder builder() {
    return new RpcServerBuilder();
  }

  /**
   * Returns the port it listens on, of several addresses that of the first, or -1 if it has a
   * unix-domain socket or a name in this process.
   */
  public int port() {
    return address() instanceof InetSocketAddress address ? address.getPort() : -1;
  }

  /** Returns the address it listens on, of several the first, also after it has stopped. */
  public SocketAddress address() {
    return addresses.get(0);
  }

  /**
   * Returns the addresses it listens on, in the order of the builder, also after it has stopped.
   */
  public List<SocketAddress> addresses() {
    return addresses;
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
    return sockets.tls().reload();
  }

  /**
   * Returns what became of changed TLS files.
   *
   * @throws IllegalStateException if the server has no TLS
   */
  public TlsState tlsState() {
    return sockets.tls().state();
  }

  /** Returns the counters, which go on after it has stopped. */
  public RpcCounters counters() {
    return parts.registry().counters;
  }

  /**
   * Sets what the health service says of a service, such as {@code hello.Greeter}, or of the whole
   * server by the empty name. All serve from the start on; once the server stops, none does.
   *
   * @throws IllegalArgumentException if the server has no such service
   * @throws IllegalStateException if it serves no health of its own, by {@code health} of the
   *     builder
   */
  public void setServing(String service, boolean serving) {
    parts.standard().serving(requireNonNull(service, "service"), serving);
  }

  /** Returns whether it has stopped, with every call ended. */
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
    return server.awaitTermination(Check.nanos(requireNonNull(timeout, "timeout")), NANOSECONDS);
  }

  /** Stops within the builder's {@code closeTimeout}; see {@link #stop}. */
  @Override
  public void close() {
    stop(closeTimeout);
  }

  /**
   * Stops: health says {@code NOT_SERVING}, the builder's {@code shutdownDelay} passes, no more
   * calls are taken, those that are open are told ({@link StopSignal}) and come to their end. What
   * is left after the timeout ends with {@code UNAVAILABLE}, and the server's own threads are
   * interrupted. When the calling thread is interrupted, that is at once.
   *
   * <p>Calls are waited for, connections are not: a quarter of the timeout after the last call has
   * ended, 2 seconds at most, those are closed whose clients have not answered. A call that stops
   * its own server cannot end before, so it takes the whole time and is cut; do that on another
   * thread.
   *
   * @return what was done; for a second call, which waits for the first, a report without calls
   */
  public StopReport stop(Duration timeout) {
    Check.notNegative(timeout, "timeout");
    if (!stopping.compareAndSet(false, true)) {
      return awaitOther(Check.nanos(timeout));
    }
    try {
      return new ServerStop(server, parts, beforeStopStep)
          .run(hook, Check.nanos(shutdownDelay), Check.nanos(timeout));
    } finally {
      stopped.countDown();
    }
  }

  private StopReport awaitOther(long nanos) {
    long begin = System.nanoTime();
    try {
      stopped.await(nanos, NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return new StopReport(Duration.ofNanos(System.nanoTime() - begin), 0, 0, 0, 0);
  }
}
