package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerCall;
import io.grpc.ServerCallExecutorSupplier;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import org.jspecify.annotations.Nullable;

/** Checks the settings of a server against each other, and makes a running one of them. */
final class ServerStart {
  private static final Duration LEAST_PING_INTERVAL = Duration.ofSeconds(8);

  private final RpcServerBuilder settings;
  private final Set<String> names = new LinkedHashSet<>();

  ServerStart(RpcServerBuilder settings) {
    this.settings = settings;
  }

  RpcServer start() throws IOException {
    checkServices();
    checkThreads();
    checkTimes();
    StandardServices standard = new StandardServices(names, settings.health, settings.reflection);
    Set<String> uncounted = new LinkedHashSet<>();
    standard
        .definitions()
        .forEach(each -> uncounted.add(each.getServiceDescriptor().getName()));
    CallTracker tracker = new CallTracker(settings.maxCalls, uncounted);
    CallTimeouts timeouts = new CallTimeouts(
        settings.defaultTimeout, settings.maxTimeout, settings.timeouts.copy(), tracker.counters);
    ServerBuilder<?> builder = transport();
    builder.addStreamTracerFactory(tracker);
    ConnectionTracker connections = new ConnectionTracker(tracker.counters);
    builder.addTransportFilter(connections);
    ExecutorService threads = settings.directExecutor || settings.executor != null
        ? null
        : CallThreads.create(settings.maxThreads == 0 ? 256 : settings.maxThreads);
    Executor calls = threads == null ? settings.executor : CallThreads.alsoAfterShutdown(threads);
    addServices(builder, standard, timeouts, calls);
    builder.directExecutor();
    if (calls != null) {
      builder.callExecutor(new CallExecutor(calls));
    }
    RpcServer server = new RpcServer(
        listen(builder, connections, timeouts, threads),
        tracker,
        standard,
        timeouts,
        threads,
        settings.shutdownDelay,
        settings.closeTimeout);
    if (settings.shutdownHook) {
      Runtime.getRuntime().addShutdownHook(server.hook);
    }
    return server;
  }

  private void checkServices() {
    for (ServerServiceDefinition service : settings.services) {
      String name = service.getServiceDescriptor().getName();
      if (!names.add(name)) {
        throw new IllegalStateException("service " + name + ": added twice (expected: once)");
      }
    }
    if (names.isEmpty()) {
      throw new IllegalStateException("services: 0 (expected: at least 1 by addService)");
    }
  }

  private void checkThreads() {
    if (settings.directExecutor && settings.executor != null) {
      throw new IllegalStateException("directExecutor and executor (expected: one of them)");
    }
    if (settings.maxThreads != 0 && (settings.directExecutor || settings.executor != null)) {
      throw new IllegalStateException("maxThreads: "
          + settings.maxThreads
          + " (expected: neither directExecutor nor executor beside it)");
    }
  }

  private void checkTimes() {
    settings.timeouts.checkKnown(settings.services);
    Duration most = settings.maxTimeout;
    if (!most.isZero() && settings.defaultTimeout.compareTo(most) > 0) {
      throw new IllegalStateException("defaultTimeout: "
          + settings.defaultTimeout
          + " (expected: <= maxTimeout: "
          + most
          + ")");
    }
    Duration delay = settings.shutdownDelay;
    if (!delay.isZero() && delay.compareTo(settings.closeTimeout) >= 0) {
      throw new IllegalStateException(
          "shutdownDelay: " + delay + " (expected: < closeTimeout: " + settings.closeTimeout + ")");
    }
  }

  private ServerBuilder<?> transport() throws IOException {
    String name = settings.inProcessName;
    if (name == null) {
      return netty();
    }
    if (settings.host != null || settings.port >= 0 || settings.keepalive != null) {
      throw new IllegalStateException(
          "inProcessName: " + name + " (expected: neither host, port nor keepalive beside it)");
    }
    return InProcessServerBuilder.forName(name)
        .maxInboundMetadataSize(settings.maxInboundMetadataSize);
  }

  private NettyServerBuilder netty() throws UnknownHostException {
    NettyServerBuilder builder = NettyServerBuilder.forAddress(wanted())
        .maxInboundMessageSize(settings.maxInboundMessageSize)
        .maxInboundMetadataSize(settings.maxInboundMetadataSize)
        .maxConcurrentCallsPerConnection(settings.maxCallsPerConnection);
    Keepalive keepalive = settings.keepalive;
    if (keepalive == null) {
      return builder
          .permitKeepAliveTime(LEAST_PING_INTERVAL.toNanos(), NANOSECONDS)
          .permitKeepAliveWithoutCalls(true);
    }
    return builder
        .keepAliveTime(Check.nanos(keepalive.time()), NANOSECONDS)
        .keepAliveTimeout(Check.nanos(keepalive.timeout()), NANOSECONDS)
        .permitKeepAliveTime(Check.nanos(keepalive.permitted()), NANOSECONDS)
        .permitKeepAliveWithoutCalls(keepalive.withoutCalls());
  }

  private InetSocketAddress wanted() throws UnknownHostException {
    String host = settings.host == null ? "127.0.0.1" : settings.host;
    InetSocketAddress address = new InetSocketAddress(host, Math.max(0, settings.port));
    if (address.isUnresolved()) {
      throw new UnknownHostException("host: " + host + " (expected: a name that can be resolved)");
    }
    return address;
  }

  private void addServices(
      ServerBuilder<?> builder,
      StandardServices standard,
      CallTimeouts timeouts,
      @Nullable Executor calls) {
    CallGuard guard = new CallGuard(
        settings.maxCalls,
        new MessageLimits(settings.maxInboundMessageSize, settings.maxOutboundMessageSize),
        timeouts,
        settings.mapping.copy(),
        calls);
    for (ServerServiceDefinition service : settings.services) {
      builder.addService(
          guarded(ServerInterceptors.interceptForward(service, settings.interceptors), guard));
    }
    standard.definitions().forEach(service -> builder.addService(guarded(service, guard)));
  }

  /** The guard comes first and sees messages as they are on the wire. */
  private static ServerServiceDefinition guarded(ServerServiceDefinition service, CallGuard guard) {
    return ServerInterceptors.intercept(
        ServerInterceptors.useMarshalledMessages(service, MessageLimits.AS_STREAMS), guard);
  }

  private Server listen(
      ServerBuilder<?> builder,
      ConnectionTracker connections,
      CallTimeouts timeouts,
      @Nullable ExecutorService threads)
      throws IOException {
    boolean started = false;
    try {
      Server server = builder.build().start();
      started = true;
      return server;
    } catch (IOException failed) {
      throw clear(failed);
    } finally {
      connections.started();
      if (!started) {
        timeouts.close();
        if (threads != null) {
          threads.shutdownNow();
        }
      }
    }
  }

  private IOException clear(IOException failed) throws UnknownHostException {
    if (settings.inProcessName != null) {
      return new BindException(
          "cannot listen on inProcessName " + settings.inProcessName + ": it is in use");
    }
    Throwable cause = failed.getCause() == null ? failed : failed.getCause();
    BindException clear =
        new BindException("cannot listen on " + wanted() + ": " + cause.getMessage());
    clear.initCause(failed);
    return clear;
  }

  /**
   * Gives a call its thread. Calls that are refused stay on the event loop, so that they need not wait
   * for a thread, and so do those of health, which must be answered when all threads are taken. Streams
   * get theirs from the guard.
   */
  private record CallExecutor(Executor executor) implements ServerCallExecutorSupplier {
    @Override
    public <Q, R> @Nullable Executor getExecutor(ServerCall<Q, R> call, Metadata headers) {
      CallTracker.Kind kind = CallTracker.current().kind;
      return kind == CallTracker.Kind.COUNTED && !CallGuard.isStream(kind, call) ? executor : null;
    }
  }
}
