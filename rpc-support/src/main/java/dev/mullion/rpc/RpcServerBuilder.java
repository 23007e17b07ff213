package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.NettyVersion;
import io.grpc.BindableService;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Collects the settings of an {@link RpcServer}. Not safe for use by several threads. */
public final class RpcServerBuilder extends RpcBuilder<RpcServerBuilder> {
  /** Handing a call to an idle thread is not instantaneous. */
  private static final Duration LEAST_THREAD_TIMEOUT = Duration.ofMillis(1);

  @Nullable
  String host;

  int port = -1;

  final List<InetSocketAddress> addresses = new ArrayList<>();

  final List<ServerServiceDefinition> services = new ArrayList<>();
  final List<ServerInterceptor> interceptors = new ArrayList<>();
  boolean health = true;
  boolean reflection = true;
  int maxCalls = 10_000;
  final ConnectionLimits connections = new ConnectionLimits();

  boolean channelz;
  boolean admin;

  Duration maxTimeout = Duration.ZERO;
  ExceptionMapping mapping = ExceptionMapping.usual();
  boolean directExecutor;

  @Nullable
  Executor executor;

  /** 0 means the default. */
  int maxHandlerThreads;

  Duration handlerThreadTimeout = Duration.ofSeconds(10);

  Duration shutdownDelay = Duration.ZERO;
  boolean shutdownHook;

  RpcServerBuilder() {
    super(false);
  }

  @Override
  RpcServerBuilder self() {
    return this;
  }

  /** Sets the host name or address to listen on, {@code 127.0.0.1} by default. */
  public RpcServerBuilder host(String host) {
    this.host = Check.host(host);
    return this;
  }

  /** Sets the port; 0, the default, chooses a free one. */
  public RpcServerBuilder port(int port) {
    this.port = Check.within(port, 0, 65535, "port");
    return this;
  }

  /**
   * Adds an address to listen on, instead of {@code host} and {@code port}; port 0 chooses a free
   * one. The server starts only if it can listen on all addresses.
   */
  public RpcServerBuilder address(String host, int port) {
    Check.host(host);
    addresses.add(InetSocketAddress.createUnresolved(host, Check.within(port, 0, 65535, "port")));
    return this;
  }

  /** Adds a service; {@link #start} fails if another one has its name. */
  public RpcServerBuilder addService(BindableService service) {
    return addService(requireNonNull(service, "service").bindService());
  }

  /** Adds a service; {@link #start} fails if another one has its name. */
  public RpcServerBuilder addService(ServerServiceDefinition service) {
    services.add(requireNonNull(service, "service"));
    return this;
  }

  /**
   * Adds an interceptor for all added services, whether they are added before or after it.
   * Interceptors are called in the order in which they were added. Health and reflection are not
   * intercepted.
   */
  public RpcServerBuilder intercept(ServerInterceptor interceptor) {
    interceptors.add(requireNonNull(interceptor, "interceptor"));
    return this;
  }

  /** Sets whether the health service ({@code grpc.health.v1}) is served; on by default. */
  public RpcServerBuilder health(boolean health) {
    this.health = health;
    return this;
  }

  /** Sets whether reflection (v1 and v1alpha) is served; on by default. */
  public RpcServerBuilder reflection(boolean reflection) {
    this.reflection = reflection;
    return this;
  }

  /**
   * Sets how many calls may be open, 10,000 by default. Excess calls are rejected without using a
   * handler thread. They end with {@code RESOURCE_EXHAUSTED} and the advice to retry after about
   * 100 ms ({@code grpc-retry-pushback-ms}). Calls to health and reflection do not count.
   */
  public RpcServerBuilder maxCalls(int maxCalls) {
    this.maxCalls = Check.within(maxCalls, 1, Integer.MAX_VALUE, "maxCalls");
    return this;
  }

  /**
   * Sets how many calls may be open on one connection, 1,000 by default; the client queues further
   * ones.
   */
  public RpcServerBuilder maxCallsPerConnection(int maxCallsPerConnection) {
    connections.maxCallsPerConnection(maxCallsPerConnection);
    return this;
  }

  /**
   * Sets how many connections may be open, 10,000 by default. Excess connections are counted and
   * closed at once, before TLS and HTTP/2; their clients see {@code UNAVAILABLE}.
   */
  public RpcServerBuilder maxConnections(int maxConnections) {
    connections.maxConnections(maxConnections);
    return this;
  }

  /**
   * Sets the maximum age of a connection, at least one second. The age varies by a tenth, so that
   * connections do not all end at the same moment. After it the client is asked to open a new
   * connection: open calls continue, new calls use the new connection, and no call fails. {@link
   * Duration#ZERO}, the default, sets no limit.
   */
  public RpcServerBuilder maxConnectionAge(Duration maxConnectionAge) {
    connections.maxConnectionAge(maxConnectionAge);
    return this;
  }

  /**
   * Sets how long calls may continue on a connection that has reached its {@code maxConnectionAge};
   * after that they are cancelled. By default there is no limit.
   */
  public RpcServerBuilder maxConnectionAgeGrace(Duration maxConnectionAgeGrace) {
    connections.maxConnectionAgeGrace(maxConnectionAgeGrace);
    return this;
  }

  /**
   * Sets how long a connection without calls is kept, at least one second. {@link Duration#ZERO},
   * the default, sets no limit.
   */
  public RpcServerBuilder maxConnectionIdle(Duration maxConnectionIdle) {
    connections.maxConnectionIdle(maxConnectionIdle);
    return this;
  }

  /**
   * Sets how long a new connection may take to establish HTTP/2, including TLS; 10 seconds by
   * default, at least one millisecond. A connection that takes longer is closed, so that silent
   * peers do not use up {@code maxConnections}. The TLS handshake itself never has more than 10
   * seconds.
   */
  public RpcServerBuilder handshakeTimeout(Duration handshakeTimeout) {
    connections.handshakeTimeout(handshakeTimeout);
    return this;
  }

  /**
   * Sets how many calls a client may reset on one connection within a window of whole seconds,
   * 10,000 within 10 seconds by default; {@link Integer#MAX_VALUE} sets no limit. A client resets a
   * call when it cancels it, when the call's deadline passes, or when another hedged attempt was
   * faster. A connection with more resets, as in a rapid reset attack, is counted and closed with
   * {@code ENHANCE_YOUR_CALM}.
   *
   * <p>Calls that the server has rejected or ended do not count. The same limit applies separately
   * to streams that the server must reset because their frames or headers violate the protocol.
   */
  public RpcServerBuilder maxResets(int maxResets, Duration window) {
    connections.maxResets(maxResets, window);
    return this;
  }

  /**
   * Sets how many bytes of replies may be pending, over all calls, until clients read them. The
   * default is a quarter of the heap, or of Netty's direct memory if that is less. When the limit
   * is exceeded, a call of the connection with the most pending bytes ends with {@code
   * RESOURCE_EXHAUSTED}. It is the sending call if that is on this connection, and otherwise the
   * connection's call with the most pending bytes. So clients that do not read take no memory from
   * those that do. A single message may exceed the limit while no other call has pending bytes.
   *
   * <p>A call is ready for more messages while less than half of the limit is pending for its
   * client. So a stream that writes only when it is ready, as a {@link StreamWriter} does, is never
   * ended because of its own messages alone.
   */
  public RpcServerBuilder maxPendingReplyBytes(long maxPendingReplyBytes) {
    connections.maxPendingReplyBytes(maxPendingReplyBytes);
    return this;
  }

  /**
   * Sets whether channelz ({@code grpc.channelz.v1}) is served, which lets tools inspect the
   * servers and channels of this process; off by default. It is open to every client of the server.
   */
  public RpcServerBuilder channelz(boolean channelz) {
    this.channelz = channelz;
    return this;
  }

  /**
   * Sets whether gRPC's admin services are served; off by default. They are channelz and, with
   * {@code io.grpc:grpc-xds}, the client status discovery of xDS. They are open to every client.
   */
  public RpcServerBuilder admin(boolean admin) {
    this.admin = admin;
    return this;
  }

  /**
   * Writes a line for each completed call to the log {@code dev.mullion.rpc.access} at level {@code
   * INFO}, under the rules of {@link #accessLog(Consumer)}.
   */
  public RpcServerBuilder accessLog() {
    return accessLog(AccessLog.TO_SYSTEM_LOGGER);
  }

  /**
   * Sets the consumer that receives a record of each completed call, including rejected ones.
   * {@link #accessLog()} writes lines to a log instead. Calls to health and the other standard
   * services are not recorded.
   *
   * <p>The consumer runs on one thread of its own, one record at a time, and delays no call. When
   * it is 10,000 records behind, further records are dropped and counted. Its exceptions are
   * logged. A stopping server waits one second for it.
   */
  public RpcServerBuilder accessLog(Consumer<? super CallRecord> accessLog) {
    observability.accessLog(requireNonNull(accessLog, "accessLog"));
    return this;
  }

  /**
   * Sets the maximum duration of a call. It applies even if the call has a later deadline, or has
   * none and {@code defaultTimeout} sets no limit. {@link Duration#ZERO}, the default, sets no
   * limit.
   */
  public RpcServerBuilder maxTimeout(Duration maxTimeout) {
    this.maxTimeout = Check.notNegative(maxTimeout, "maxTimeout");
    return this;
  }

  /**
   * Sets the status for exceptions of a type and its subclasses that a service throws or passes to
   * {@code onError}. If several types match, the nearest superclass applies.
   *
   * <p>By default, with the exception's message as the description: {@code
   * IllegalArgumentException} is {@code INVALID_ARGUMENT}, {@code NoSuchElementException} {@code
   * NOT_FOUND}, {@code SecurityException} {@code PERMISSION_DENIED}, {@code
   * UnsupportedOperationException} {@code UNIMPLEMENTED}, {@code TimeoutException} {@code
   * DEADLINE_EXCEEDED}, {@code CancellationException} and {@code InterruptedException} {@code
   * CANCELLED}. An {@code ExecutionException} or {@code CompletionException} is mapped by its
   * cause. {@code StatusException} and {@code StatusRuntimeException} keep their own status. An
   * unmapped exception is {@code INTERNAL} with an error id, and is logged under that id.
   *
   * <p>Otherwise mapping looks at the exception, not at its causes, for exceptions that are thrown
   * or that fail a {@link RpcMethod} or {@link StreamWriter}. A plain {@code onError} follows gRPC:
   * the first {@code StatusException} or {@code StatusRuntimeException} in the chain of causes,
   * such as that of a call to another server, determines the status. Only an exception without one
   * is mapped.
   *
   * <p>A description is truncated to 4 KiB, with a note, because clients limit inbound metadata.
   */
  public <E extends Throwable> RpcServerBuilder mapException(
      Class<E> type, Function<? super E, Status> status) {
    mapping.put(requireNonNull(type, "type"), requireNonNull(status, "status"));
    return this;
  }

  /**
   * Sets the status of exceptions as {@link #mapException} does, together with trailers. The
   * function returns an exception made by {@link ErrorDetails#exception}, or any other with
   * trailers.
   */
  public <E extends Throwable> RpcServerBuilder mapExceptionWithDetails(
      Class<E> type, Function<? super E, StatusRuntimeException> error) {
    mapping.putDetailed(requireNonNull(type, "type"), requireNonNull(error, "error"));
    return this;
  }

  /**
   * Runs services on the event loops, which is fastest for services that never block. A service
   * that blocks delays all calls of its connection, and of others. The same holds for events of
   * gRPC's own observers, such as a handler of {@code setOnCancelHandler}, and for listeners of a
   * {@link io.grpc.Context} whose call completes normally. Other callbacks, which run when a call
   * is cancelled or the server stops, have threads of their own, as with {@link #executor}.
   */
  public RpcServerBuilder directExecutor() {
    this.directExecutor = true;
    return this;
  }

  /**
   * Sets the executor that runs the methods of services and the events of calls. The server does
   * not shut it down. By default each call has a virtual thread on JDK 21 and newer, and older JDKs
   * have {@code maxHandlerThreads} threads. A call that is cancelled while it is queued is removed
   * from the queue of a {@link java.util.concurrent.ThreadPoolExecutor}. In other executors it
   * stays queued, and counts toward {@code maxCalls}, until its turn comes.
   *
   * <p>Callbacks run on threads of the server: listeners of the {@link io.grpc.Context} of a call
   * that is cancelled or timed out, {@link StopSignal#onGiven}, and the callbacks of a {@link
   * StreamWriter}. So they may block, and neither calls nor timeouts wait for them; a call counts
   * toward {@code maxCalls} until they have run. While the body of a {@link RpcMethod} that reads a
   * stream occupies its thread, the stream's further events run on such threads too.
   */
  public RpcServerBuilder executor(Executor executor) {
    this.executor = requireNonNull(executor, "executor");
    return this;
  }

  /**
   * Sets the number of platform threads for services, 256 by default. Further calls wait for a
   * thread, within their timeouts and {@code handlerThreadTimeout}. A call that is cancelled or
   * ended while it waits leaves the queue, and its service does not see it. There are two more
   * pools of the same size: one for callbacks, and one for events of streams whose bodies occupy a
   * thread. Ignored with virtual threads; {@link #start} fails if an executor is set too.
   */
  public RpcServerBuilder maxHandlerThreads(int maxHandlerThreads) {
    this.maxHandlerThreads = Check.within(maxHandlerThreads, 1, 1_000_000, "maxHandlerThreads");
    return this;
  }

  /**
   * Sets how long a call may wait for a thread, 10 seconds by default, at least one millisecond;
   * {@link Duration#ZERO} sets no limit. After that it ends with {@code RESOURCE_EXHAUSTED: no
   * thread was free within handlerThreadTimeout PT10S (maxHandlerThreads 256)}, and the advice to
   * retry. Calls that wait are counted in {@link RpcCounters#callsWaiting}. With virtual threads no
   * call waits.
   */
  public RpcServerBuilder handlerThreadTimeout(Duration handlerThreadTimeout) {
    this.handlerThreadTimeout =
        Check.zeroOrAtLeast(handlerThreadTimeout, LEAST_THREAD_TIMEOUT, "handlerThreadTimeout");
    return this;
  }

  /**
   * Sets how long a stopping server still accepts calls while health reports {@code NOT_SERVING},
   * so that load balancers notice; {@link Duration#ZERO} by default. The delay is part of the
   * stop's timeout.
   */
  public RpcServerBuilder shutdownDelay(Duration shutdownDelay) {
    this.shutdownDelay = Check.notNegative(shutdownDelay, "shutdownDelay");
    return this;
  }

  /**
   * Sets whether the server is closed when the JVM ends, such as by Ctrl-C or SIGTERM; off by
   * default.
   */
  public RpcServerBuilder shutdownHook(boolean shutdownHook) {
    this.shutdownHook = shutdownHook;
    return this;
  }

  /**
   * Starts a server and returns it once it listens. If this fails, nothing is left running.
   *
   * @throws IllegalStateException if settings contradict each other, there is no service, or Netty
   *     is older than 4.2
   * @throws java.net.UnknownHostException if the host cannot be resolved
   * @throws java.net.BindException if the server cannot listen on the address
   * @throws IOException if a TLS file cannot be used, or the server cannot start for another reason
   */
  public RpcServer start() throws IOException {
    if (inProcessName == null) {
      NettyVersion.check();
    }
    return new ServerStart(this).start();
  }
}
