package dev.mullion.rpc;

import io.grpc.BindableService;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionService;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** gRPC's standard services: health and reflection. */
final class StandardServices {
  private final boolean withHealth;
  private final HealthStatusManager health = new HealthStatusManager();
  private final Set<String> known = new TreeSet<>();
  private final List<ServerServiceDefinition> definitions = new ArrayList<>();

  StandardServices(Set<String> services, boolean withHealth, boolean withReflection) {
    this.withHealth = withHealth;
    // The empty name stands for the whole server, which is SERVING from the start.
    known.add("");
    known.addAll(services);
    for (String service : services) {
      health.setStatus(service, ServingStatus.SERVING);
    }
    if (withHealth) {
      definitions.add(health.getHealthService().bindService());
    }
    if (withReflection) {
      definitions.add(ProtoReflectionServiceV1.newInstance().bindService());
      definitions.add(v1alpha().bindService());
    }
  }

  /** Older clients know only this version. */
  @SuppressWarnings("deprecation")
  private static BindableService v1alpha() {
    return ProtoReflectionService.newInstance();
  }

  void add(List<ServerServiceDefinition> more) {
    definitions.addAll(more);
  }

  List<ServerServiceDefinition> definitions() {
    return List.copyOf(definitions);
  }

  Set<String> names() {
    Set<String> names = new LinkedHashSet<>();
    definitions.forEach(each -> names.add(each.getServiceDescriptor().getName()));
    return names;
  }

  void serving(String service, boolean serving) {
    if (!withHealth) {
      throw new IllegalStateException("health: false (expected: true, for setServing)");
    }
    if (!known.contains(service)) {
      throw new IllegalArgumentException(
          "service: \"" + service + "\" (expected: \"\" or one of " + services() + ")");
    }
    health.setStatus(service, serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  }

  private String services() {
    Set<String> named = new TreeSet<>(known);
    named.remove("");
    return String.join(", ", named);
  }

  /** Reports {@code NOT_SERVING} to all requests and watches; later changes are ignored. */
  void stopServing() {
    health.enterTerminalState();
  }
}
