package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Channel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerStreamTracer;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The observers and the access log of a server or a channel. */
final class Observability {
  private @Nullable Consumer<? super CallRecord> accessLog;

  /** The last observer of each kind. */
  private final Map<Class<?>, RpcObserver> observers = new LinkedHashMap<>();

  void accessLog(Consumer<? super CallRecord> log) {
    accessLog = log;
  }

  void observe(RpcObserver observer) {
    observers.put(requireNonNull(observer, "observer").getClass(), observer);
  }

  /** Adds the observers to the builder of a channel. */
  void channel(ManagedChannelBuilder<?> builder) {
    observers.values().forEach(each -> each.configure(builder));
  }

  /** Returns a channel that observes calls from the caller's point of view. */
  Channel watched(Channel channel) {
    Channel watched = channel;
    for (RpcObserver each : observers.values()) {
      watched = each.watched(watched);
    }
    return watched;
  }

  /** Returns an action to run when changed TLS files of a channel could not be used. */
  Runnable tlsReloadsFailed() {
    List<RpcObserver> notified = List.copyOf(observers.values());
    return () -> notified.forEach(
        each -> ObserverFailures.guard(each.failures, each, each::tlsReloadFailed));
  }

  /** Returns interceptors that precede all others of a server's services. */
  List<ServerInterceptor> inServices() {
    return observers.values().stream()
        .flatMap(each -> each.inServices().stream())
        .toList();
  }

  /** Adds the observers to the builder of a server. */
  OfServer server(
      ServerBuilder<?> builder,
      List<ServerServiceDefinition> services,
      Set<String> uncountedServices,
      RpcCounters counters) {
    OfServer ofServer = new OfServer();
    TracersApart apart = new TracersApart(builder);
    List<CallRecorder.Sink> sinks = new ArrayList<>();
    for (RpcObserver each : observers.values()) {
      each.configure(apart, counters.observersFailed);
      RpcObserver.OfServer own = each.ofServer(services);
      if (own != null) {
        ofServer.observers.add(own);
        sinks.add(own);
      }
    }
    if (accessLog != null) {
      AccessLog log = new AccessLog(accessLog, counters);
      ofServer.accessLog = log;
      sinks.add(log);
    }
    if (!sinks.isEmpty()) {
      apart.tracers.add(new CallRecorder(sinks, uncountedServices, counters.observersFailed));
    }
    ofServer.tracers = List.copyOf(apart.tracers);
    return ofServer;
  }

  /** The observers of one server. */
  static final class OfServer implements AutoCloseable {
    private final List<RpcObserver.OfServer> observers = new ArrayList<>();
    private @Nullable AccessLog accessLog;
    private List<ServerStreamTracer.Factory> tracers = List.of();

    /** Returns the tracers to notify of each call. */
    List<ServerStreamTracer.Factory> tracers() {
      return tracers;
    }

    void started(SocketAddress address, RpcCounters counters, int maxConnections, int maxCalls) {
      observers.forEach(each -> ObserverFailures.guard(
          counters.observersFailed,
          each,
          () -> each.started(address, counters, maxConnections, maxCalls)));
    }

    @Override
    public void close() {
      observers.forEach(RpcObserver.OfServer::stopped);
      if (accessLog != null) {
        accessLog.close();
      }
    }
  }
}
