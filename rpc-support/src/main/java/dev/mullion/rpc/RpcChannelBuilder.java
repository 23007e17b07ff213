package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.EarlyClasses;
import dev.mullion.net.base.NettyVersion;
import dev.mullion.net.base.TlsReloader;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.ChannelOption;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Collects the settings of an {@link RpcChannel}. Not safe for use by several threads. */
public final class RpcChannelBuilder extends RpcBuilder<RpcChannelBuilder> {
  private @Nullable String target;
  private final List<InetSocketAddress> addresses = new ArrayList<>();
  private boolean roundRobin;
  private boolean healthCheck = true;
  private final List<ClientInterceptor> interceptors = new ArrayList<>();

  /** The timeout of unary calls if none is set; tests use a shorter one. */
  Duration unaryTimeout = MethodTimeouts.OF_UNARY_CALLS;

  private final ChannelPolicies policies = new ChannelPolicies();
  private boolean waitForReady;
  private Duration connectTimeout = Duration.ofSeconds(10);

  RpcChannelBuilder() {
    super(true);
  }

  @Override
  RpcChannelBuilder self() {
    return this;
  }

  /**
   * Sets the target in gRPC's syntax: {@code localhost:50051}, {@code dns:///host:50051}, {@code
   * unix:///run/greeter.sock}. {@code xds:///} needs {@code io.grpc:grpc-xds} on the class path.
   */
  public RpcChannelBuilder target(String target) {
    this.target = Targets.checked(Check.notBlank(target, "target", "such as localhost:50051"));
    return this;
  }

  /**
   * Sets whether calls go in turn to all addresses that a target resolves to, such as {@code
   * dns:///greeter.internal:50051}, except to servers whose health service reports {@code
   * NOT_SERVING}. By default all calls go to the first reachable address. Several servers given as
   * {@code address} are always called in turn.
   */
  public RpcChannelBuilder roundRobin(boolean roundRobin) {
    this.roundRobin = roundRobin;
    return this;
  }

  /**
   * Sets whether a channel that calls several servers in turn watches the health service of each;
   * on by default. Servers that report {@code NOT_SERVING} are not called. Servers without a health
   * service are called. So are servers whose health service does not answer within 2 seconds, or
   * within half of {@code connectTimeout} if that is less.
   */
  public RpcChannelBuilder healthCheck(boolean healthCheck) {
    this.healthCheck = healthCheck;
    return this;
  }

  /**
   * Adds a server, instead of a target. With several servers calls go to each in turn, except to
   * those whose health service reports {@code NOT_SERVING}, unless {@link #healthCheck} is off.
   * Proxies set by the environment or by system properties are used for one server and for several.
   */
  public RpcChannelBuilder address(String host, int port) {
    Check.host(host);
    addresses.add(InetSocketAddress.createUnresolved(host, Check.within(port, 1, 65535, "port")));
    return this;
  }

  /**
   * Adds an interceptor for all calls. Interceptors are called in the order in which they were
   * added. They run before the channel's defaults apply: an interceptor sees a deadline only if the
   * call has one of its own, and a deadline that it sets replaces {@code defaultTimeout}.
   */
  public RpcChannelBuilder intercept(ClientInterceptor interceptor) {
    interceptors.add(requireNonNull(interceptor, "interceptor"));
    return this;
  }

  /**
   * Sets when calls are retried; by default, only if they have not left this process. Methods and
   * services with a policy of their own follow only that policy.
   */
  public RpcChannelBuilder retryPolicy(RetryPolicy retryPolicy) {
    policies.retry(retryPolicy);
    return this;
  }

  /**
   * Sets when calls of a method or a service are retried.
   *
   * @param method the full name of a method, such as {@code hello.Greeter/SayHello}, or of a
   *     service, such as {@code hello.Greeter}; the policy of a method takes precedence
   */
  public RpcChannelBuilder retryPolicy(RetryPolicy retryPolicy, String method) {
    policies.retry(retryPolicy, method);
    return this;
  }

  /**
   * Sets when calls are hedged, that is, made several times at once; off by default. Methods and
   * services with a policy of their own follow only that policy.
   */
  public RpcChannelBuilder hedgingPolicy(HedgingPolicy hedgingPolicy) {
    policies.hedge(hedgingPolicy);
    return this;
  }

  /**
   * Sets when calls of a method or a service are hedged.
   *
   * @param method the full name of a method, such as {@code hello.Greeter/SayHello}, or of a
   *     service, such as {@code hello.Greeter}; the policy of a method takes precedence
   */
  public RpcChannelBuilder hedgingPolicy(HedgingPolicy hedgingPolicy, String method) {
    policies.hedge(hedgingPolicy, method);
    return this;
  }

  /**
   * Sets how many bytes of requests are kept for further attempts of one call, 1 MiB by default. A
   * call that has sent more is not retried. The value is at most {@code retryBufferSize}.
   */
  public RpcChannelBuilder perRpcBufferLimit(int perRpcBufferLimit) {
    policies.perRpcBufferLimit(perRpcBufferLimit);
    return this;
  }

  /**
   * Sets how many bytes of requests are kept for further attempts of all open calls together, 16
   * MiB by default. While the buffer is full, calls that send more are not retried.
   */
  public RpcChannelBuilder retryBufferSize(int retryBufferSize) {
    policies.retryBufferSize(retryBufferSize);
    return this;
  }

  /**
   * Sets whether calls wait for a connection until their deadline; by default they fail with {@code
   * UNAVAILABLE} if the channel cannot connect.
   */
  public RpcChannelBuilder waitForReady(boolean waitForReady) {
    this.waitForReady = waitForReady;
    return this;
  }

  /**
   * Sets how long {@link #connect} waits for a connection, 10 seconds by default. Each later
   * attempt to connect has the same limit, including TLS and the first answer of the server. If one
   * name has several addresses, each gets a share of it, at least 250 ms: a silent server is
   * abandoned for the next address.
   */
  public RpcChannelBuilder connectTimeout(Duration connectTimeout) {
    this.connectTimeout = Check.positive(connectTimeout, "connectTimeout");
    return this;
  }

  /**
   * Returns a channel that connects on its first call.
   *
   * @throws IllegalStateException if settings contradict each other, or Netty is older than 4.2
   * @throws UncheckedIOException if a TLS file cannot be used
   */
  public RpcChannel build() {
    check();
    TlsReloader files = RpcTls.readUnchecked(tls, observability.tlsReloadsFailed());
    ConnectFailures failures = new ConnectFailures(tls, socket());
    OpenSockets sockets = new OpenSockets();
    ManagedChannelBuilder<?> builder = transport(files, failures, sockets)
        .maxInboundMessageSize(maxInboundMessageSize)
        .maxInboundMetadataSize(MetadataLimit.ofTransport(maxInboundMetadataSize));
    serviceConfig(builder);
    MessageLimits limits = new MessageLimits(maxInboundMessageSize, maxOutboundMessageSize);
    ClientGuard guard = new ClientGuard(
        new ClientTimeouts(timeouts.copy(), defaultTimeout, unaryTimeout),
        waitForReady,
        compression,
        limits,
        failures);
    Compressions compressions = new Compressions();
    builder.compressorRegistry(compressions.registry());
    // gRPC calls the interceptor first that was added last.
    builder.intercept(
        new ClientMessages(limits, maxInboundMetadataSize, inProcessName != null, compressions),
        guard);
    List<ClientInterceptor> lastFirst = new ArrayList<>(interceptors);
    Collections.reverse(lastFirst);
    builder.intercept(lastFirst);
    observability.channel(builder);
    ManagedChannel managed = Targets.build(target, builder);
    return new RpcChannel(
        managed, guard, observability.watched(managed), files, sockets, closeTimeout);
  }

  /**
   * Returns a channel that is connected, with several addresses to at least one of them.
   *
   * @throws IllegalStateException if settings contradict each other, or Netty is older than 4.2
   * @throws IOException if it cannot connect within {@code connectTimeout}, or a TLS file cannot be
   *     used; then nothing is left open
   */
  public RpcChannel connect() throws IOException {
    RpcChannel channel;
    try {
      channel = build();
    } catch (UncheckedIOException unusable) {
      throw unusable.getCause();
    }
    boolean connected = false;
    try {
      channel.connect(where(), connectTimeout);
      connected = true;
      return channel;
    } finally {
      if (!connected) {
        channel.shutdownNow();
        channel.close();
      }
    }
  }

  private void check() {
    checkWhere();
    if (inProcessName != null && (keepalive != null || tls != null)) {
      throw new IllegalStateException("inProcessName: " + inProcessName + " (expected: no "
          + (tls == null ? "keepalive" : "tls")
          + " set)");
    }
    if (inProcessName == null) {
      NettyVersion.check();
      EarlyClasses.load(RpcChannel.class);
    }
    if (inTurn() && healthCheck && maxInboundMessageSize < MessageLimits.OF_HEALTH) {
      throw new IllegalStateException("maxInboundMessageSize: " + maxInboundMessageSize
          + " (expected: >= " + MessageLimits.OF_HEALTH + " for replies of the healthCheck)");
    }
    policies.check();
    if (compression != null) {
      ReplyCompression.check(compression);
    }
  }

  private void checkWhere() {
    int places = (target == null ? 0 : 1)
        + (addresses.isEmpty() ? 0 : 1)
        + (path == null ? 0 : 1)
        + (inProcessName == null ? 0 : 1);
    if (places != 1) {
      throw new IllegalStateException(
          "places to call: " + places + " (expected: 1 of target, address, path, inProcessName)");
    }
    if (roundRobin && target == null && addresses.isEmpty()) {
      throw new IllegalStateException("roundRobin requires target or address");
    }
  }

  private String where() {
    if (target != null) {
      return target;
    }
    if (inProcessName != null) {
      return "inProcessName " + inProcessName;
    }
    if (path != null) {
      return path.toString();
    }
    List<String> named = new ArrayList<>();
    addresses.forEach(each -> named.add(each.getHostString() + ":" + each.getPort()));
    return String.join(", ", named);
  }

  private ManagedChannelBuilder<?> transport(
      @Nullable TlsReloader files, ConnectFailures failures, OpenSockets sockets) {
    if (inProcessName != null) {
      return InProcessChannelBuilder.forName(inProcessName);
    }
    NettyChannelBuilder builder = networked();
    GrpcLogs.bound();
    ConnectAttempts attempts = new ConnectAttempts(connectTimeout, tls, sockets);
    attempts.watch(builder, files == null ? null : files.context());
    if (socket() == null) {
      WatchedBalancing.apply(
          builder,
          inTurn() ? WatchedBalancing.ROUND_ROBIN : WatchedBalancing.PICK_FIRST,
          new WatchedBalancing.Settings(attempts, failures));
    }
    // ConnectAttempts bounds each attempt; Netty would end it after 30 seconds.
    builder.withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, 0);
    if (keepalive != null) {
      builder
          .keepAliveTime(Check.nanos(keepalive.time()), NANOSECONDS)
          .keepAliveTimeout(Check.nanos(keepalive.timeout()), NANOSECONDS)
          .keepAliveWithoutCalls(keepalive.withoutCalls());
    }
    return builder;
  }

  /** gRPC has no other way to set a resolver for a single channel. */
  @SuppressWarnings("deprecation")
  private NettyChannelBuilder networked() {
    Path socket = socket();
    if (socket != null) {
      try {
        return Targets.forUnixSocket(socket);
      } catch (IOException noLoops) {
        throw new UncheckedIOException(noLoops.getMessage(), noLoops);
      }
    }
    if (target != null) {
      return NettyChannelBuilder.forTarget(Targets.known(target));
    }
    if (addresses.size() == 1) {
      InetSocketAddress only = addresses.get(0);
      return NettyChannelBuilder.forAddress(only.getHostString(), only.getPort());
    }
    return NettyChannelBuilder.forTarget(SeveralAddresses.SCHEME + ":///servers")
        .nameResolverFactory(new SeveralAddresses(addresses));
  }

  private @Nullable Path socket() {
    return path == null ? Targets.unixSocket(target) : path;
  }

  private boolean inTurn() {
    return roundRobin || addresses.size() > 1;
  }

  private void serviceConfig(ManagedChannelBuilder<?> builder) {
    Map<String, Object> config = new LinkedHashMap<>();
    if (inTurn() && healthCheck) {
      config.put("healthCheckConfig", Map.of("serviceName", ""));
    }
    policies.apply(builder, config);
    builder.defaultServiceConfig(config);
  }
}
