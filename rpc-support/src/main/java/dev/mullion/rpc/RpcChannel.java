package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

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
 * A channel with what production asks for: a deadline for each call, retries, limits, several
 * servers. It is a {@link Channel}, from which any stub is made, and it is closed after use.
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
 * <p>By default unary calls may take a minute and streams as long as they like, calls are not
 * retried, messages may have 4 MiB in both directions, and connections are made when the first call
 * needs one. With several addresses calls go to each in turn, and to none whose health service says
 * {@code NOT_SERVING}. {@link RpcChannelBuilder} says more of each setting.
 *
 * <p>All methods may be called by any thread.
 */
public final class RpcChannel extends Channel implements AutoCloseable {
  private final ManagedChannel managed;
  private final ClientGuard guard;
  private final Channel guarded;
  private final @Nullable TlsReloader tls;
  private final Duration closeTimeout;

  RpcChannel(
      ManagedChannel managed,
      ClientGuard guard,
      Channel guarded,
      @Nullable TlsReloader tls,
      Duration closeTimeout) {
    this.managed = managed;
    this.guard = guard;
    this.guarded = guarded;
    this.tls = tls;
    this.closeTimeout = closeTimeout;
    if (tls != null) {
      tls.start();
    }
  }

  /** Returns a builder that holds the defaults. */
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
   * {@link Duration#ZERO} sets none.
   */
  public void setDefaultTimeout(Duration defaultTimeout) {
    guard.timeouts.setDefault(Check.notNegative(defaultTimeout, "defaultTimeout"));
  }

  /**
   * Sets the timeout of calls that start from now on without a deadline of their own, by the name
   * of their method, such as {@code hello.Greeter/SayHello}, or of their service. {@link
   * Duration#ZERO} sets none.
   */
  public void setTimeout(String name, Duration timeout) {
    guard.timeouts.set(name, timeout);
  }

  /** Returns the state of its connections. */
  public ConnectivityState state() {
    return managed.getState(false);
  }

  /**
   * Waits until a connection is ready; makes one if there is none.
   *
   * @throws IOException if none can be made within the timeout; it says where to, and why not
   */
  void connect(String where, Duration timeout) throws IOException {
    new EagerConnection(managed, guard.failures, where, timeout).await();
  }

  /**
   * Checks the files of {@link Tls} now, and loads them if they have changed. Open connections
   * continue as they are.
   *
   * @return whether they have changed
   * @throws IOException if one cannot be used; the previous ones stay in use
   * @throws IllegalStateException if the channel has no TLS
   */
  public boolean reloadTls() throws IOException {
    return files().reload();
  }

  /**
   * Returns what became of changed TLS files.
   *
   * @throws IllegalStateException if the channel has no TLS
   */
  public TlsState tlsState() {
    return files().state();
  }

  private TlsReloader files() {
    if (tls == null) {
      throw new IllegalStateException("channel has no TLS (expected: tls of the builder)");
    }
    return tls;
  }

  /** Takes no more calls; those that are open go on. */
  public void shutdown() {
    managed.shutdown();
    stopReloading();
  }

  private void stopReloading() {
    if (tls != null) {
      tls.close();
    }
  }

  /** Takes no more calls, and cancels those that are open. */
  public void shutdownNow() {
    managed.shutdownNow();
    stopReloading();
  }

  /** Returns whether it is shut down, with every call ended and every connection closed. */
  public boolean isTerminated() {
    return managed.isTerminated();
  }

  /**
   * Waits until it is terminated, for so long at most.
   *
   * @return whether it is
   */
  public boolean awaitTermination(Duration timeout) throws InterruptedException {
    return managed.awaitTermination(Check.nanos(requireNonNull(timeout, "timeout")), NANOSECONDS);
  }

  /**
   * Shuts it down, waits for open calls as long as the builder's {@code closeTimeout}, and cancels
   * the rest; when the calling thread is interrupted, at once.
   */
  @Override
  public void close() {
    shutdown();
    try {
      if (awaitTermination(closeTimeout)) {
        return;
      }
      managed.shutdownNow();
      awaitTermination(Duration.ofSeconds(1));
    } catch (InterruptedException e) {
      managed.shutdownNow();
      Thread.currentThread().interrupt();
    }
  }
}
