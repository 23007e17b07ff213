package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ServerServiceDefinition;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Publishes the calls of servers and channels, and all counters of a server, as Micrometer meters.
 * It needs {@code io.micrometer:micrometer-core} on the class path.
 *
 * <pre>{@code
 * RpcServer server = RpcServer.builder()
 *     .addService(new GreeterService())
 *     .observe(MicrometerObserver.of(registry))
 *     .start();
 * }</pre>
 *
 * <p>Meters of a server:
 *
 * <ul>
 *   <li>{@code mullion.rpc.server.calls}, a timer with the tags {@code method} and {@code status};
 *   <li>{@code mullion.rpc.server.message.size}, in bytes on the wire, with the tags {@code method}
 *       and {@code direction}, which is {@code received} or {@code sent};
 *   <li>each of the {@link RpcCounters} by name, such as {@code mullion.rpc.connections.open}, and
 *       the limits {@code mullion.rpc.max.connections} and {@code mullion.rpc.max.calls}, with the
 *       tag {@code address}; these are removed once the server has stopped.
 * </ul>
 *
 * <p>Methods that the server does not have are {@code unknown}. Calls to health and the other
 * standard services are not measured.
 *
 * <p>Meters of a channel are {@code mullion.rpc.client.calls}, with all attempts of a call
 * together, and {@code mullion.rpc.client.message.size} for each attempt, with the same tags. A
 * method that is not from generated code is {@code unknown} until a server has answered a call to
 * it with a message or {@code OK}. Methods beyond the first 1,000 are {@code unknown} too. All
 * channels of a registry share {@code mullion.rpc.client.tls.reloads.failed}, which counts as
 * {@link dev.mullion.net.TlsState#failedReloads} does.
 */
public final class MicrometerObserver extends RpcObserver {
  private final MeterRegistry registry;

  private MicrometerObserver(MeterRegistry registry) {
    this.registry = registry;
  }

  /**
   * Returns an observer that adds meters to a registry.
   *
   * @throws IllegalStateException if micrometer-core is missing
   */
  @SuppressWarnings("exports") // Only callers need Micrometer.
  public static MicrometerObserver of(MeterRegistry registry) {
    checkPresent();
    return new MicrometerObserver(requireNonNull(registry, "registry"));
  }

  private static void checkPresent() {
    Check.present(
        MicrometerObserver.class,
        "micrometer",
        "io.micrometer.core.instrument.MeterRegistry",
        "io.micrometer:micrometer-core",
        "micrometer.core");
  }

  @Override
  OfServer ofServer(List<ServerServiceDefinition> services) {
    Set<String> names = new HashSet<>();
    for (ServerServiceDefinition service : services) {
      service
          .getMethods()
          .forEach(each -> names.add(each.getMethodDescriptor().getFullMethodName()));
    }
    return new ServerMeters(registry, names);
  }

  @Override
  Channel watched(Channel channel) {
    return ClientInterceptors.intercept(
        channel, new ClientMeters(new MethodMeters(registry, "client"), failures));
  }

  /** All channels share one counter. */
  @Override
  void tlsReloadFailed() {
    registry.counter("mullion.rpc.client.tls.reloads.failed").increment();
  }
}
