package dev.mullion.rpc;

import io.grpc.Channel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import java.net.SocketAddress;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Measures or traces the calls of servers and channels with a library that may be absent: a {@link
 * MicrometerObserver} or an {@link OpenTelemetryObserver}. One may be given to any number of
 * servers and channels.
 *
 * <p>The types of those libraries are in these two classes only. Builders, servers and channels can
 * be loaded, reflected on and mocked without them.
 */
public abstract class RpcObserver {
  final LongAdder failures = new LongAdder();

  RpcObserver() {}

  /**
   * Returns how often its library has thrown in channels; of a server, {@link
   * RpcCounters#observersFailed} says so. The calls went on.
   */
  public long failures() {
    return failures.sum();
  }

  /**
   * Adds to a server that is to be built; what its library throws from then on is to be counted.
   */
  void configure(ServerBuilder<?> builder, LongAdder failed) {}

  /** Adds to a channel that is to be built. */
  void configure(ManagedChannelBuilder<?> builder) {}

  /** Returns what goes before all interceptors of a server's services. */
  List<ServerInterceptor> inServices() {
    return List.of();
  }

  /** Returns what watches the calls of one server, or null if that is done otherwise. */
  @Nullable
  OfServer ofServer(List<ServerServiceDefinition> services) {
    return null;
  }

  /** Returns a channel whose calls are seen as their callers see them. */
  Channel watched(Channel channel) {
    return channel;
  }

  /** Called when new files for TLS of a channel could not be used. */
  void tlsReloadFailed() {}

  /** Watches the calls of one server, and its counters from its start to its stop. */
  interface OfServer extends CallRecorder.Sink {
    void started(SocketAddress address, RpcCounters counters, int maxConnections, int maxCalls);

    void stopped();
  }
}
