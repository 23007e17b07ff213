package dev.mullion.rpc;

import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.OpenTelemetry;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Who watches the calls of a server or a channel. The libraries for it may be absent. */
final class Observability {
  private @Nullable Consumer<? super CallRecord> accessLog;
  private @Nullable MeterRegistry registry;
  private @Nullable OpenTelemetry openTelemetry;

  static void checkMicrometer() {
    checkPresent(
        "micrometer",
        "io.micrometer.core.instrument.MeterRegistry",
        "io.micrometer:micrometer-core");
  }

  static void checkOpenTelemetry() {
    checkPresent(
        "openTelemetry", "io.grpc.opentelemetry.GrpcOpenTelemetry", "io.grpc:grpc-opentelemetry");
  }

  private static void checkPresent(String setting, String type, String artifact) {
    try {
      Class.forName(type);
    } catch (ClassNotFoundException absent) {
      throw new IllegalStateException(
          setting + " needs " + artifact + " on the class path", absent);
    }
  }

  void accessLog(Consumer<? super CallRecord> log) {
    accessLog = log;
  }

  void micrometer(MeterRegistry meters) {
    registry = meters;
  }

  void openTelemetry(OpenTelemetry telemetry) {
    openTelemetry = telemetry;
  }

  /** Adds what watches to a channel that is to be built. */
  void channel(ManagedChannelBuilder<?> builder) {
    if (openTelemetry != null) {
      Telemetry.configure(builder, openTelemetry);
    }
  }

  /** Returns a channel whose calls are seen as their callers see them. */
  Channel watched(Channel channel) {
    return registry == null
        ? channel
        : ClientInterceptors.intercept(
            channel, new ClientMeters(new MethodMeters(registry, "client")));
  }

  /** Returns what is told when files for TLS of a channel could not be used. */
  Runnable tlsReloadsFailed() {
    return registry == null ? () -> {} : ClientMeters.tlsReloadsFailed(registry);
  }

  /** Returns what goes before all interceptors of a server's services. */
  List<ServerInterceptor> inServices() {
    return openTelemetry == null ? List.of() : List.of(Telemetry.inService());
  }

  /** Adds what watches to a server that is to be built. */
  OfServer server(
      ServerBuilder<?> builder,
      List<ServerServiceDefinition> services,
      Set<String> uncountedServices,
      RpcCounters counters) {
    if (openTelemetry != null) {
      Telemetry.configure(builder, openTelemetry);
    }
    OfServer ofServer = new OfServer();
    List<CallWatcher> watchers = new ArrayList<>();
    if (registry != null) {
      ServerMeters meters = new ServerMeters(registry, methods(services));
      ofServer.meters = meters;
      watchers.add(meters);
    }
    if (accessLog != null) {
      AccessLog log = new AccessLog(accessLog, counters);
      ofServer.accessLog = log;
      watchers.add(log);
    }
    if (!watchers.isEmpty()) {
      builder.addStreamTracerFactory(new CallObserver(watchers, uncountedServices));
    }
    return ofServer;
  }

  private static Set<String> methods(List<ServerServiceDefinition> services) {
    Set<String> names = new HashSet<>();
    for (ServerServiceDefinition service : services) {
      service
          .getMethods()
          .forEach(each -> names.add(each.getMethodDescriptor().getFullMethodName()));
    }
    return names;
  }

  /** What lasts as long as one server does. */
  static final class OfServer implements AutoCloseable {
    private @Nullable ServerMeters meters;
    private @Nullable AccessLog accessLog;

    void started(SocketAddress address, RpcCounters counters, int maxConnections, int maxCalls) {
      if (meters != null) {
        meters.started(counters, text(address), maxConnections, maxCalls);
      }
    }

    private static String text(SocketAddress address) {
      return address instanceof InetSocketAddress inet
          ? inet.getHostString() + ":" + inet.getPort()
          : address.toString();
    }

    @Override
    public void close() {
      if (meters != null) {
        meters.stopped();
      }
      if (accessLog != null) {
        accessLog.close();
      }
    }
  }
}
