package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The timeouts of single methods and services. A method's own takes precedence over its service's.
 */
final class MethodTimeouts {
  static final Duration OF_UNARY_CALLS = Duration.ofMinutes(1);

  private final Map<String, Duration> byName = new ConcurrentHashMap<>();

  void put(String name, Duration timeout) {
    byName.put(
        Check.notBlank(name, "name", "such as hello.Greeter/SayHello or hello.Greeter"),
        Check.notNegative(timeout, "timeout"));
  }

  void put(MethodDescriptor<?, ?> method, Duration timeout) {
    put(requireNonNull(method, "method").getFullMethodName(), timeout);
  }

  /** Returns the timeout that is set for a method or its service, or null. */
  @Nullable
  Duration find(MethodDescriptor<?, ?> method) {
    if (byName.isEmpty()) {
      return null;
    }
    Duration own = byName.get(method.getFullMethodName());
    String service = method.getServiceName();
    return own != null || service == null ? own : byName.get(service);
  }

  /**
   * Returns the timeout of a method without a timeout of its own: the one set for all calls, or
   * else {@link #OF_UNARY_CALLS} for unary calls and none for streams.
   */
  static Duration byDefault(@Nullable Duration set, MethodDescriptor<?, ?> method) {
    return byDefault(set, method, OF_UNARY_CALLS);
  }

  /**
   * Returns the timeout of a method without a timeout of its own, with another default for unary
   * calls.
   */
  static Duration byDefault(
      @Nullable Duration set, MethodDescriptor<?, ?> method, Duration ofUnaryCalls) {
    if (set != null) {
      return set;
    }
    return method.getType() == MethodDescriptor.MethodType.UNARY ? ofUnaryCalls : Duration.ZERO;
  }

  /** Returns an independent copy. */
  MethodTimeouts copy() {
    MethodTimeouts copy = new MethodTimeouts();
    copy.byName.putAll(byName);
    return copy;
  }

  /** Throws if there is a timeout for an unknown method or service. */
  void checkKnown(List<ServerServiceDefinition> services) {
    TreeSet<String> known = new TreeSet<>();
    for (ServerServiceDefinition service : services) {
      known.add(service.getServiceDescriptor().getName());
      service
          .getMethods()
          .forEach(each -> known.add(each.getMethodDescriptor().getFullMethodName()));
    }
    for (String name : new TreeSet<>(byName.keySet())) {
      if (!known.contains(name)) {
        throw new IllegalStateException(
            "timeout of " + name + " (expected: one of " + String.join(", ", known) + ")");
      }
    }
  }
}
