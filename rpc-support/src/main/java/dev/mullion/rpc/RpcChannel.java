package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import dev.mullion.net.base.Check;
import dev.mullion.net.base.TlsReloader;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A gRPC channel that is ready for production: it has a deadline for each call, retries, limits and
 * load balancing over several servers. It is a {@link Channel}, so every stub accepts it. Close it
 * after use.
 *
 * <pre>{@code
 * try (RpcChannel channel = RpcChannel.builder()
 *     .address("localhost", port)
 *     .defaultTimeout(Duration.ofSeconds(10))
 *     .retryPolicy(RetryPolicy.defaults())
 *     .build()) {
 *   System.out.println(GreeterClient.of(channel).sayHello("world"));
 * }
 * }</pre>
 *
 * <p>By default unary calls may take one minute and streams have no limit, calls are not retried,
 * messages of up to 4 MiB are accepted and sent, and the channel connects on the first call. With
 * several addresses calls go to each in turn, except to servers whose health service reports {@code
 * NOT_SERVING}. {@link RpcChannelBuilder} documents each setting.
 *
 * <p>All methods may be called from any thread.
 */
public final class RpcChannel extends Channel implements AutoCloseable {
  private static final long FOR_LAST_FRAMES = SECONDS.toNanos(1);
  private static final long FOR_SOCKETS = MILLISECONDS.toNanos(500);

  private final ManagedChannel managed;
  private final ClientGuard guard;
  private final Channel guarded;
  private final @Nullable TlsReloader tls;
  private final OpenSockets sockets;
  private final Duration closeTimeout;

  RpcChannel(
      ManagedChannel managed,
      ClientGuard guard,
      Channel guarded,
      @Nullable TlsReloader tls,
      OpenSockets sockets,
      Duration closeTimeout) {
    this.managed = managed;
    this.guard = guard;
    this.guarded = guarded;
    this.tls = tls;
    this.sockets = sockets;
    this.closeTimeout = closeTimeout;
    if (tls != null) {
      tls.start();
    }
  }

  /** Returns a builder with the default settings. */
  public static RpcChannelBuilder builder() {
    return new RpcChannelBuilder();
  }

  @Override
  public <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, CallOptions options) {
    return guarded.newCall(method, options);
  }

  @Override
  public String authority() {
    return managed.authority();
  }

  /**
   * Sets the timeout of calls of all kinds that start from now on without a deadline of their own.
   * {@link Duration#ZERO} sets no limit.
   */
  public void setDefaultTimeout(Duration defaultTimeout) {
    guard.timeouts.setDefault(Check.notNegative(defaultTimeout, "defaultTimeout"));
  }

  /**
   * Sets the timeout of calls that start from now on without a deadline of their own, by the name
   * of their method, such as {@code hello.Greeter/SayHello}, or of their service. {@link
   * Duration#ZERO} sets no limit.
   */
  public void setTimeout(String name, Duration timeout) {
    guard.timeouts.set(name, timeout);
  }

  /** Returns the state of the channel's connections. */
  public ConnectivityState state() {
    return managed.getState(false);
  }

  /**
   * Ends the wait before the next attempt to connect, which grows with each failed attempt. For
   * callers that have their own reason to believe that a server is back.
   */
  public void resetConnectBackoff() {
    managed.resetConnectBackoff();
  }

  /**
   * Waits until a connection is ready, and opens one if there is none.
   *
   * @throws IOException if there is no connection within the timeout; its text has the address and
   *     the reason
   */
  void connect(String where, Duration timeout) throws IOException {
    new EagerConnection(managed, guard.failures, where, timeout).await();
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections are
   * not affected.
   *
   * @return whether the files had changed
   * @throws IOException if a file cannot be used; the previous files stay in use
   * @throws IllegalStateException if the channel has no TLS
   */
  public boolean reloadTls() throws IOException {
    return files().reload();
  }

  /**
   * Returns the state of the TLS files and their last reload.
   *
   * @throws IllegalStateException if the channel has no TLS
   */
  public TlsState tlsState() {
    return files().state();
  }

  private TlsReloader files() {
    return Check.hasTls(tls, "channel");
  }

  /** Rejects new calls; open calls continue. */
  public void shutdown() {
    managed.shutdown();
    stopReloading();
  }

  private void stopReloading() {
    if (tls != null) {
      tls.close();
    }
  }

  /** Rejects new calls, cancels open calls, and closes connections within a second. */
  public void shutdownNow() {
    managed.shutdownNow();
    sockets.closeAfter(FOR_LAST_FRAMES);
    stopReloading();
  }

  /**
   * Returns whether the channel is shut down, every call has ended and every connection is closed.
   */
  public boolean isTerminated() {
    return managed.isTerminated();
  }

  /**
   * Waits until the channel is terminated, or until the timeout passes.
   *
   * @return whether the channel is terminated
   */
  public boolean awaitTermination(Duration timeout) throws InterruptedException {
    return managed.awaitTermination(Check.nanos(requireNonNull(timeout, "timeout")), NANOSECONDS);
  }

  /**
   * Shuts the channel down, waits for open calls up to the builder's {@code closeTimeout}, and
   * cancels the rest. If the calling thread is interrupted, they are cancelled at once.
   */
  @Override
  public void close() {
    shutdown();
    try {
      if (awaitTermination(closeTimeout)) {
        return;
      }
      shutdownNow();
      managed.awaitTermination(FOR_LAST_FRAMES + FOR_SOCKETS, NANOSECONDS);
    } catch (InterruptedException e) {
      shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
