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
 * A running gRPC server that is ready for production: it has health and reflection, limits,
 * timeouts, central mapping from exceptions to statuses, a graceful stop and counters. Services,
 * interceptors and statuses are gRPC's own types.
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
 * and reflection (v1 and v1alpha), and accepts and sends messages of up to 4 MiB and metadata of up
 * to 8 KiB. It rejects connections beyond 10,000, and calls beyond 10,000 in all; a connection
 * carries 1,000 calls at a time. Unary calls without a deadline may take one minute; streams have
 * no limit. {@link RpcServerBuilder} documents each setting.
 *
 * <p>Services run on virtual threads on JDK 21 and newer, otherwise on a pool of 256 threads. Event
 * loops and timers are daemon threads. All methods may be called from any thread.
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

  /** Receives the name of each step of a stop; tests use it to make a step fail. */
  volatile Consumer<String> beforeStopStep = step -> {};

  /** Runs when the JVM ends; registered only if {@code shutdownHook} is set. */
  final ShutdownHook hook = new ShutdownHook("mullion-rpc-shutdown", this::close);

  RpcServer(Server server, ServerStop.Parts parts, Duration shutdownDelay, Duration closeTimeout) {
    this.server = server;
    this.parts = parts;
    this.sockets = parts.sockets();
    this.addresses = sockets.started(server);
    this.shutdownDelay = shutdownDelay;
    this.closeTimeout = closeTimeout;
  }

  /** Returns a builder with the default settings. */
  public static RpcServerBuilder builder() {
    return new RpcServerBuilder();
  }

  /**
   * Returns the port that the server listens on. With several addresses this is the port of the
   * first. It is -1 for a unix-domain socket or an in-process server.
   */
  public int port() {
    return address() instanceof InetSocketAddress address ? address.getPort() : -1;
  }

  /**
   * Returns the address that the server listens on, the first if there are several. It remains
   * available after the stop.
   */
  public SocketAddress address() {
    return addresses.get(0);
  }

  /**
   * Returns the addresses that the server listens on, in the builder's order. They remain available
   * after the stop.
   */
  public List<SocketAddress> addresses() {
    return addresses;
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections are
   * not affected.
   *
   * @return whether the files had changed
   * @throws IOException if a file cannot be used; the previous files stay in use
   * @throws IllegalStateException if the server has no TLS
   */
  public boolean reloadTls() throws IOException {
    return sockets.tls().reload();
  }

  /**
   * Returns the state of the TLS files and their last reload.
   *
   * @throws IllegalStateException if the server has no TLS
   */
  public TlsState tlsState() {
    return sockets.tls().state();
  }

  /** Returns the counters. They remain available after the stop. */
  public RpcCounters counters() {
    return parts.registry().counters;
  }

  /**
   * Sets the health status of a service, such as {@code hello.Greeter}; the empty name stands for
   * the whole server. Every service is {@code SERVING} from the start, and {@code NOT_SERVING} once
   * the server stops.
   *
   * @throws IllegalArgumentException if the server has no such service
   * @throws IllegalStateException if the builder's {@code health} is off
   */
  public void setServing(String service, boolean serving) {
    parts.standard().serving(requireNonNull(service, "service"), serving);
  }

  /** Returns whether the server has stopped and every call has ended. */
  public boolean isTerminated() {
    return server.isTerminated();
  }

  /** Waits until the server has stopped. */
  public void awaitTermination() throws InterruptedException {
    server.awaitTermination();
  }

  /**
   * Waits until the server has stopped, or until the timeout passes.
   *
   * @return whether the server has stopped
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
   * Stops the server gracefully. Health reports {@code NOT_SERVING}, the builder's {@code
   * shutdownDelay} passes, new calls are rejected, and open calls are notified ({@link StopSignal})
   * and drain. Calls that are still open after the timeout end with {@code UNAVAILABLE}, and the
   * server's own threads are interrupted. If the calling thread is interrupted, this happens at
   * once.
   *
   * <p>The stop waits for calls, not for connections: connections whose clients have not answered
   * are closed a quarter of the timeout, at most 2 seconds, after the last call has ended. A call
   * that stops its own server must do so on another thread. Otherwise the stop waits for that call
   * until the timeout and then cancels it.
   *
   * @return a report of the stop; a second call waits for the first and returns a report without
   *     calls
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
