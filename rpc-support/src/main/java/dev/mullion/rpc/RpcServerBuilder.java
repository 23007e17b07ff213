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
  /** To hand a call to a thread that is free takes some time too. */
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

  /** 0 stands for the default. */
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

  /** Sets the name or address to listen on, {@code 127.0.0.1} by default. */
  public RpcServerBuilder host(String host) {
    this.host = Check.host(host);
    return this;
  }

  /** Sets the port; 0, the default, takes any that is free. */
  public RpcServerBuilder port(int port) {
    this.port = Check.within(port, 0, 65535, "port");
    return this;
  }

  /**
   * Adds an address to listen on, in place of {@code host} and {@code port}; port 0 takes any that
   * is free. The server starts only if it can listen on all of them.
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
   * Adds an interceptor for all services added, before or after it. The first one added is the
   * first one called. Health and reflection are not intercepted.
   */
  public RpcServerBuilder intercept(ServerInterceptor interceptor) {
    interceptors.add(requireNonNull(interceptor, "interceptor"));
    return this;
  }

  /** Sets whether the health service ({@code grpc.health.v1}) is served, as it is by default. */
  public RpcServerBuilder health(boolean health) {
    this.health = health;
    return this;
  }

  /** Sets whether reflection (v1 and v1alpha) is served, as it is by default. */
  public RpcServerBuilder reflection(boolean reflection) {
    this.reflection = reflection;
    return this;
  }

  /**
   * Sets how many calls may be open, 10,000 by default. More are refused at once, on no thread of
   * theirs, with {@code RESOURCE_EXHAUSTED} and the advice to retry after about 100 ms ({@code
   * grpc-retry-pushback-ms}). Calls of health and reflection do not count.
   */
  public RpcServerBuilder maxCalls(int maxCalls) {
    this.maxCalls = Check.within(maxCalls, 1, Integer.MAX_VALUE, "maxCalls");
    return this;
  }

  /**
   * Sets how many calls may be open on one connection, 1,000 by default; its client lets more wait.
   */
  public RpcServerBuilder maxCallsPerConnection(int maxCallsPerConnection) {
    connections.maxCallsPerConnection(maxCallsPerConnection);
    return this;
  }

  /**
   * Sets how many connections may be open, 10,000 by default. More are closed at once, before TLS
   * and HTTP/2, and counted; to their clients that is {@code UNAVAILABLE}.
   */
  public RpcServerBuilder maxConnections(int maxConnections) {
    connections.maxConnections(maxConnections);
    return this;
  }

  /**
   * Sets how long a connection lasts, give or take a tenth, so that not all end at the same moment;
   * one second at least. Then its client is told to make a new one: calls that are open go on, new
   * ones go there, and none fails. {@link Duration#ZERO}, the default, sets no limit.
   */
  public RpcServerBuilder maxConnectionAge(Duration maxConnectionAge) {
    connections.maxConnectionAge(maxConnectionAge);
    return this;
  }

  /**
   * Sets how long calls of a connection that has reached its {@code maxConnectionAge} may go on;
   * then they are cut. By default they may as long as they like.
   */
  public RpcServerBuilder maxConnectionAgeGrace(Duration maxConnectionAgeGrace) {
    connections.maxConnectionAgeGrace(maxConnectionAgeGrace);
    return this;
  }

  /**
   * Sets how long a connection without calls is kept, one second at least. {@link Duration#ZERO},
   * the default, sets no limit.
   */
  public RpcServerBuilder maxConnectionIdle(Duration maxConnectionIdle) {
    connections.maxConnectionIdle(maxConnectionIdle);
    return this;
  }

  /**
   * Sets how long a new connection may take until HTTP/2 is spoken on it, TLS included, 10 seconds
   * by default; one millisecond at least. Then it is closed, so that peers that say nothing do not
   * take up {@code maxConnections}. Of a longer time TLS has 10 seconds all the same.
   */
  public RpcServerBuilder handshakeTimeout(Duration handshakeTimeout) {
    connections.handshakeTimeout(handshakeTimeout);
    return this;
  }

  /**
   * Sets how many calls a client may reset on one connection within a window of whole seconds,
   * 10,000 within 10 seconds by default; {@link Integer#MAX_VALUE} sets no limit. A client resets a
   * call when it cancels it, and also when the call's deadline passes or another hedged attempt was
   * quicker. The connection of one that does so more often, as in an attack by rapid reset, is
   * ended with {@code ENHANCE_YOUR_CALM} and counted.
   *
   * <p>Calls that the server has refused or ended are not counted. Streams that the server has to
   * reset, since their frames or headers break the protocol, have the same limit for themselves.
   */
  public RpcServerBuilder maxResets(int maxResets, Duration window) {
    connections.maxResets(maxResets, window);
    return this;
  }

  /**
   * Sets how many bytes of replies may wait for clients to take them, over all calls; by default a
   * quarter of the heap, or of the direct memory that Netty may take if that is less. Beyond that a
   * call of the connection for which most bytes wait ends with {@code RESOURCE_EXHAUSTED}: the one
   * that is to send, or for a message of another connection the one with most bytes. So clients
   * that do not read take no memory from those that do. A message may be longer while no other
   * call's wait.
   *
   * <p>A call is ready for more while less than half of it waits for its client, so that a stream
   * that waits until it is ready, as a {@link StreamWriter} does, never ends by its own messages
   * alone.
   */
  public RpcServerBuilder maxPendingReplyBytes(long maxPendingReplyBytes) {
    connections.maxPendingReplyBytes(maxPendingReplyBytes);
    return this;
  }

  /**
   * Sets whether channelz ({@code grpc.channelz.v1}) is served, by which tools look into the
   * servers and channels of this process; by default it is not. Whoever can call the server can ask
   * it.
   */
  public RpcServerBuilder channelz(boolean channelz) {
    this.channelz = channelz;
    return this;
  }

  /**
   * Sets whether gRPC's admin services are served: channelz, and the client status discovery of xDS
   * if {@code io.grpc:grpc-xds} is there; by default they are not. Whoever can call the server can
   * ask them.
   */
  public RpcServerBuilder admin(boolean admin) {
    this.admin = admin;
    return this;
  }

  /** Writes each call that ends to the log, as {@link #accessLog(Consumer)} does. */
  public RpcServerBuilder accessLog() {
    return accessLog(AccessLog.TO_SYSTEM_LOGGER);
  }

  /**
   * Sets who is given a record of each call that ends, also of those refused; without one, {@link
   * #accessLog()}, it is a line in the log {@code dev.mullion.rpc.access} at level {@code INFO}.
   * Calls of health and the other standard services are left out.
   *
   * <p>The log is called by one thread of its own, one record at a time, and holds up no call. When
   * it is 10,000 records behind, further ones are dropped and counted. What it throws is logged. A
   * server that stops waits one second for it.
   */
  public RpcServerBuilder accessLog(Consumer<? super CallRecord> accessLog) {
    observability.accessLog(requireNonNull(accessLog, "accessLog"));
    return this;
  }

  /**
   * Sets how long a call may take at most, whatever deadline it comes with, and without one if
   * {@code defaultTimeout} sets no limit. {@link Duration#ZERO}, the default, sets none.
   */
  public RpcServerBuilder maxTimeout(Duration maxTimeout) {
    this.maxTimeout = Check.notNegative(maxTimeout, "maxTimeout");
    return this;
  }

  /**
   * Sets the status for exceptions of a type and its subclasses, for which a service threw it or
   * gave it to {@code onError}. Of several types the nearest superclass counts.
   *
   * <p>By default, with the exception's message as the description: {@code
   * IllegalArgumentException} is {@code INVALID_ARGUMENT}, {@code NoSuchElementException} {@code
   * NOT_FOUND}, {@code SecurityException} {@code PERMISSION_DENIED}, {@code
   * UnsupportedOperationException} {@code UNIMPLEMENTED}, {@code TimeoutException} {@code
   * DEADLINE_EXCEEDED}, {@code CancellationException} and {@code InterruptedException} {@code
   * CANCELLED}. Of an {@code ExecutionException} or {@code CompletionException} the cause counts.
   * {@code StatusException} and {@code StatusRuntimeException} say themselves what they mean.
   * Anything else is {@code INTERNAL} with an error id, and in the log under that id.
   *
   * <p>Of what is thrown, or fails a {@link RpcMethod} or {@link StreamWriter}, no other cause
   * counts. A plain {@code onError} is gRPC's own: it passes on the status of the first of these
   * two that it finds among all causes, such as that of a call to another server, and only what has
   * none is mapped.
   *
   * <p>A description is cut to 4 KiB as it is sent, and says so; with more, clients could no longer
   * read the status, since they bound the metadata that comes.
   */
  public <E extends Throwable> RpcServerBuilder mapException(
      Class<E> type, Function<? super E, Status> status) {
    mapping.put(requireNonNull(type, "type"), requireNonNull(status, "status"));
    return this;
  }

  /**
   * Sets the status of exceptions as {@link #mapException} does, and what goes with it: its
   * function returns what {@link ErrorDetails#exception} makes, or any other exception with
   * trailers.
   */
  public <E extends Throwable> RpcServerBuilder mapExceptionWithDetails(
      Class<E> type, Function<? super E, StatusRuntimeException> error) {
    mapping.putDetailed(requireNonNull(type, "type"), requireNonNull(error, "error"));
    return this;
  }

  /**
   * Runs services on the event loops, which is the fastest way for those that never block. One that
   * does holds up all calls of its connection, and of others. So do the events of gRPC's own
   * observers, such as a handler of {@code setOnCancelHandler}, and listeners of a {@link
   * io.grpc.Context} whose call ends well. What else runs when a call is cut or the server stops
   * has threads of its own, as with {@link #executor}.
   */
  public RpcServerBuilder directExecutor() {
    this.directExecutor = true;
    return this;
  }

  /**
   * Sets the executor of services: of their methods, and of the events of calls. It is not shut
   * down with the server. By default there is a virtual thread for each call on JDK 21 and newer,
   * and before that {@code maxHandlerThreads} threads. A call that is cancelled while it waits
   * there leaves the queue of a {@link java.util.concurrent.ThreadPoolExecutor}; in others it
   * stays, and counts for {@code maxCalls}, until its turn comes.
   *
   * <p>Callbacks run on threads of the server's own: what listens to the {@link io.grpc.Context} of
   * a call that is cancelled, timed out or cut, {@link StopSignal#onGiven}, and those of a {@link
   * StreamWriter}. So they may block, and neither calls nor timeouts wait for them; a call counts
   * for {@code maxCalls} until they have run. While the body of a {@link RpcMethod} that reads a
   * stream holds its thread, the stream's further events run on such threads too.
   */
  public RpcServerBuilder executor(Executor executor) {
    this.executor = requireNonNull(executor, "executor");
    return this;
  }

  /**
   * Sets how many platform threads there are for services, 256 by default. More calls than that
   * wait for one, within their timeouts and {@code handlerThreadTimeout}; one that is cancelled or
   * ended meanwhile waits no more, and its service does not see it. Callbacks, and events of
   * streams whose bodies hold a thread, have as many threads of their own each. Ignored with
   * virtual threads; {@link #start} fails if there is an executor too.
   */
  public RpcServerBuilder maxHandlerThreads(int maxHandlerThreads) {
    this.maxHandlerThreads = Check.within(maxHandlerThreads, 1, 1_000_000, "maxHandlerThreads");
    return this;
  }

  /**
   * Sets how long a call may wait for a thread, 10 seconds by default, at least one millisecond;
   * {@link Duration#ZERO} sets no limit. Then it ends with {@code RESOURCE_EXHAUSTED: no thread was
   * free within handlerThreadTimeout PT10S (maxHandlerThreads 256)}, and the advice to retry. Calls
   * that wait are counted in {@link RpcCounters#callsWaiting}. With virtual threads no call waits.
   */
  public RpcServerBuilder handlerThreadTimeout(Duration handlerThreadTimeout) {
    this.handlerThreadTimeout =
        Check.zeroOrAtLeast(handlerThreadTimeout, LEAST_THREAD_TIMEOUT, "handlerThreadTimeout");
    return this;
  }

  /**
   * Sets how long a server that is to stop still takes calls while health says {@code NOT_SERVING},
   * so that load balancers see it; {@link Duration#ZERO} by default. It is part of the time of the
   * stop.
   */
  public RpcServerBuilder shutdownDelay(Duration shutdownDelay) {
    this.shutdownDelay = Check.notNegative(shutdownDelay, "shutdownDelay");
    return this;
  }

  /**
   * Sets whether the server is closed when the JVM ends, such as by Ctrl-C or SIGTERM; by default
   * that is left to the program.
   */
  public RpcServerBuilder shutdownHook(boolean shutdownHook) {
    this.shutdownHook = shutdownHook;
    return this;
  }

  /**
   * Starts a server and returns it when it listens. If that fails, nothing is left running.
   *
   * @throws IllegalStateException if settings contradict each other, there is no service, or Netty
   *     is older than 4.2
   * @throws java.net.UnknownHostException if the host cannot be resolved
   * @throws java.net.BindException if the address cannot be listened on
   * @throws IOException if a file for TLS cannot be used, or the server cannot be started otherwise
   */
  public RpcServer start() throws IOException {
    if (inProcessName == null) {
      NettyVersion.check();
    }
    return new ServerStart(this).start();
  }
}
