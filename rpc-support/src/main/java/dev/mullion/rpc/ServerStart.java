package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.EarlyClasses;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.NettyServerBuilder;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Checks the settings of a server against each other, and starts a server with them. */
final class ServerStart {
  private static final Duration LEAST_PING_INTERVAL = Duration.ofSeconds(8);

  private final RpcServerBuilder settings;
  private final Set<String> names = new LinkedHashSet<>();

  ServerStart(RpcServerBuilder settings) {
    this.settings = settings;
  }

  RpcServer start() throws IOException {
    check();
    StandardServices standard = standardServices();
    RpcCounters counters = new RpcCounters();
    ServerSockets sockets = ServerSockets.of(settings, counters);
    CallTimeouts timeouts = new CallTimeouts(
        settings.defaultTimeout, settings.maxTimeout, settings.timeouts.copy(), counters);
    ServerThreads threads = ServerThreads.of(settings);
    CallRegistry registry = new CallRegistry(
        settings.maxCalls,
        standard.names(),
        counters,
        new Callbacks(threads.callbacks, timeouts.timer()));
    ServerBuilder<?> builder = transport(sockets, registry);
    Observability.OfServer observed =
        settings.observability.server(builder, settings.services, standard.names(), counters);
    ServerStop.Parts parts =
        new ServerStop.Parts(registry, standard, timeouts, threads, observed, sockets);
    ConnectionTracker connections = new ConnectionTracker(counters);
    builder
        .addStreamTracerFactory(new StreamTracers(registry, observed.tracers()))
        .addTransportFilter(connections);
    addServices(builder, parts);
    limitWaiting(parts);
    RpcServer server = new RpcServer(
        listen(builder, parts, connections), parts, settings.shutdownDelay, settings.closeTimeout);
    announce(server, parts);
    return server;
  }

  private void check() {
    checkServices();
    checkThreads();
    checkTimes();
    settings.connections.check(settings.inProcessName);
    if (settings.compression != null) {
      ReplyCompression.check(settings.compression);
    }
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

  /** gRPC would silently use the last of two services with the same name. */
  private StandardServices standardServices() {
    StandardServices standard = new StandardServices(names, settings.health, settings.reflection);
    standard.add(AdminServices.definitions(settings.channelz, settings.admin));
    for (String name : standard.names()) {
      if (names.contains(name)) {
        throw new IllegalStateException("service " + name
            + ": added, but the server already has it (expected: one of them,"
            + " see health, reflection, channelz and admin)");
      }
    }
    return standard;
  }

  private void checkThreads() {
    if (settings.directExecutor && settings.executor != null) {
      throw new IllegalStateException("directExecutor and executor (expected: one of them)");
    }
    if (settings.maxHandlerThreads != 0 && (settings.directExecutor || settings.executor != null)) {
      throw new IllegalStateException("maxHandlerThreads: "
          + settings.maxHandlerThreads
          + " (expected: neither directExecutor nor executor set)");
    }
  }

  private void checkTimes() {
    settings.timeouts.checkKnown(settings.services);
    Duration most = settings.maxTimeout;
    Duration byDefault = settings.defaultTimeout;
    if (byDefault != null && !most.isZero() && byDefault.compareTo(most) > 0) {
      throw new IllegalStateException(
          "defaultTimeout: " + byDefault + " (expected: <= maxTimeout: " + most + ")");
    }
    Duration delay = settings.shutdownDelay;
    if (!delay.isZero() && delay.compareTo(settings.closeTimeout) >= 0) {
      throw new IllegalStateException(
          "shutdownDelay: " + delay + " (expected: < closeTimeout: " + settings.closeTimeout + ")");
    }
  }

  private ServerBuilder<?> transport(ServerSockets sockets, CallRegistry registry)
      throws IOException {
    String name = settings.inProcessName;
    return name == null
        ? netty(sockets, registry)
        : InProcessServerBuilder.forName(name)
            .maxInboundMetadataSize(MetadataLimit.ofTransport(settings.maxInboundMetadataSize));
  }

  private NettyServerBuilder netty(ServerSockets sockets, CallRegistry registry)
      throws IOException {
    EarlyClasses.load(RpcServer.class);
    GrpcLogs.bound();
    NettyServerBuilder builder = sockets
        .builder(new ConnectionGate(settings.connections, settings.tls, registry))
        .maxInboundMessageSize(settings.maxInboundMessageSize)
        .maxInboundMetadataSize(MetadataLimit.ofTransport(settings.maxInboundMetadataSize));
    settings.connections.apply(builder);
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

  private void addServices(ServerBuilder<?> builder, ServerStop.Parts parts) {
    ServerGuard guard = new ServerGuard(
        parts.registry(),
        new MessageLimits(settings.maxInboundMessageSize, settings.maxOutboundMessageSize),
        parts.timeouts(),
        settings.mapping.copy(),
        parts.threads());
    builder.directExecutor();
    if (parts.threads().calls != null) {
      builder.callExecutor(guard);
    }
    MetadataLimit metadata = new MetadataLimit(settings.maxInboundMetadataSize);
    List<ServerInterceptor> interceptors = new ArrayList<>(settings.interceptors);
    if (settings.compression != null) {
      // First, so that later interceptors may choose another compression.
      interceptors.add(0, new ReplyCompression(settings.compression));
    }
    interceptors.addAll(0, settings.observability.inServices());
    interceptors.add(0, metadata);
    for (ServerServiceDefinition service : settings.services) {
      builder.addService(guarded(
          ServerInterceptors.interceptForward(KeptMessages.in(service), interceptors), guard));
    }
    ServerGuard ofStandard = guard.with(guard.limits().forStandardServices());
    parts
        .standard()
        .definitions()
        .forEach(service -> builder.addService(
            guarded(ServerInterceptors.intercept(service, metadata), ofStandard)));
  }

  /** The guard comes first and sees messages as they are on the wire. */
  private static ServerServiceDefinition guarded(
      ServerServiceDefinition service, ServerGuard guard) {
    return ServerInterceptors.intercept(
        ServerInterceptors.useMarshalledMessages(service, MessageLimits.AS_STREAMS), guard);
  }

  private void limitWaiting(ServerStop.Parts parts) {
    String scarce = parts.threads().scarce;
    if (scarce != null && !settings.handlerThreadTimeout.isZero()) {
      parts
          .timeouts()
          .limitWaiting(
              parts.registry(),
              settings.handlerThreadTimeout,
              Status.RESOURCE_EXHAUSTED.withDescription(
                  "no thread was free within handlerThreadTimeout " + settings.handlerThreadTimeout
                      + " (" + scarce + ")"));
    }
  }

  private Server listen(
      ServerBuilder<?> builder, ServerStop.Parts parts, ConnectionTracker connections)
      throws IOException {
    Server server = builder.build();
    boolean started = false;
    try {
      bind(server, parts.sockets());
      parts.sockets().publish();
      started = true;
      return server;
    } finally {
      connections.started(started);
      if (!started) {
        server.shutdownNow();
        parts.timeouts().close();
        parts.threads().shutdownNow();
      }
    }
  }

  private static void bind(Server server, ServerSockets sockets) throws IOException {
    try {
      server.start();
    } catch (IOException failed) {
      throw sockets.explained(failed);
    } catch (RuntimeException failed) {
      throw sockets.explained(failed);
    }
  }

  /** Notifies the observers of a server that listens, and stops it if one of them cannot start. */
  private void announce(RpcServer server, ServerStop.Parts parts) {
    boolean complete = false;
    try {
      parts
          .observed()
          .started(
              server.address(),
              server.counters(),
              settings.connections.maxConnections(),
              settings.maxCalls);
      if (settings.shutdownHook) {
        server.hook.register();
      }
      complete = true;
    } finally {
      if (!complete) {
        server.stop(Duration.ZERO);
      }
    }
  }
}
