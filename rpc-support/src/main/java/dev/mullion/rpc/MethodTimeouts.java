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

/** The timeouts of single methods and services. A method's own goes before that of its service. */
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

  /** Returns the timeout of a method, or null if it has none of its own. */
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
   * Returns the timeout of a method that has none of its own: what was set for all kinds of calls,
   * else {@link #OF_UNARY_CALLS}, and none for streams.
   */
  static Duration byDefault(@Nullable Duration set, MethodDescriptor<?, ?> method) {
    return byDefault(set, method, OF_UNARY_CALLS);
  }

  /** Returns the same with another default of unary calls. */
  static Duration byDefault(
      @Nullable Duration set, MethodDescriptor<?, ?> method, Duration ofUnaryCalls) {
    if (set != null) {
      return set;
    }
    return method.getType() == MethodDescriptor.MethodType.UNARY ? ofUnaryCalls : Duration.ZERO;
  }

  /** Returns timeouts that later changes of these do not change. */
  MethodTimeouts copy() {
    MethodTimeouts copy = new MethodTimeouts();
    copy.byName.putAll(byName);
    return copy;
  }

  /** Throws if there is one for what no service has. */
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
            "timeout of " + name + " (expected: of one of " + String.join(", ", known) + ")");
      }
    }
  }
}
