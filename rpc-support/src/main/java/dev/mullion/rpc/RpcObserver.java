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
 * MicrometerObserver} or an {@link OpenTelemetryObserver}. One observer may serve any number of
 * servers and channels.
 *
 * <p>Only these two classes use the types of those libraries. Builders, servers and channels can be
 * loaded, reflected on and mocked without them.
 */
public abstract class RpcObserver {
  final LongAdder failures = new LongAdder();

  RpcObserver() {}

  /**
   * Returns how often its library has thrown in channels. Servers count this in {@link
   * RpcCounters#observersFailed}. The calls continued.
   */
  public long failures() {
    return failures.sum();
  }

  /** Adds itself to the builder of a server, and counts later exceptions of its library. */
  void configure(ServerBuilder<?> builder, LongAdder failed) {}

  /** Adds itself to the builder of a channel. */
  void configure(ManagedChannelBuilder<?> builder) {}

  /** Returns interceptors that precede all others of a server's services. */
  List<ServerInterceptor> inServices() {
    return List.of();
  }

  /** Returns an observer of one server's calls, or null if another mechanism observes them. */
  @Nullable
  OfServer ofServer(List<ServerServiceDefinition> services) {
    return null;
  }

  /** Returns a channel that observes calls from the caller's point of view. */
  Channel watched(Channel channel) {
    return channel;
  }

  /** Called when changed TLS files of a channel could not be used. */
  void tlsReloadFailed() {}

  /** Observes the calls of one server, and its counters from start to stop. */
  interface OfServer extends CallRecorder.Sink {
    void started(SocketAddress address, RpcCounters counters, int maxConnections, int maxCalls);

    void stopped();
  }
}
