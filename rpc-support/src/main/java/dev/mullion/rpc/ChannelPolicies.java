package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.grpc.ManagedChannelBuilder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The policies of a channel by method, by service, and for all others under the empty name. */
final class ChannelPolicies {
  private static final String ALL = "";

  private final Map<String, RetryPolicy> retries = new LinkedHashMap<>();
  private final Map<String, HedgingPolicy> hedges = new LinkedHashMap<>();
  private int perRpcBufferLimit = 1024 * 1024;
  private int retryBufferSize = 16 * 1024 * 1024;

  void retry(RetryPolicy policy, String... names) {
    put(retries, requireNonNull(policy, "retryPolicy"), names);
  }

  void hedge(HedgingPolicy policy, String... names) {
    put(hedges, requireNonNull(policy, "hedgingPolicy"), names);
  }

  void perRpcBufferLimit(int bytes) {
    perRpcBufferLimit = Check.within(bytes, 1, Integer.MAX_VALUE, "perRpcBufferLimit");
  }

  void retryBufferSize(int bytes) {
    retryBufferSize = Check.within(bytes, 1, Integer.MAX_VALUE, "retryBufferSize");
  }

  private static <P> void put(Map<String, P> policies, P policy, String... names) {
    if (names.length == 0) {
      policies.put(ALL, policy);
    }
    for (String name : names) {
      if (!requireNonNull(name, "method").matches("[^/\\s]+(/[^/\\s]+)?")) {
        throw new IllegalArgumentException(
            "method: \"" + name + "\" (expected: package.Service or package.Service/Method)");
      }
      policies.put(name, policy);
    }
  }

  /** Throws if the policies contradict each other. */
  void check() {
    TreeSet<String> both = new TreeSet<>(retries.keySet());
    both.retainAll(hedges.keySet());
    if (!both.isEmpty()) {
      String first = both.first();
      throw new IllegalStateException("retryPolicy and hedgingPolicy for "
          + (first.equals(ALL) ? "all methods" : first)
          + " (expected: one of them)");
    }
    if (perRpcBufferLimit > retryBufferSize) {
      throw new IllegalStateException("perRpcBufferLimit: " + perRpcBufferLimit
          + " (expected: <= retryBufferSize: " + retryBufferSize + ")");
    }
    throttling();
  }

  /** Returns the throttling of all policies, which a channel has only once. */
  private @Nullable Throttling throttling() {
    Throttling found = null;
    List<Throttling> all = new ArrayList<>();
    retries.values().forEach(each -> all.add(each.throttling()));
    hedges.values().forEach(each -> all.add(each.throttling()));
    for (Throttling each : all) {
      if (found != null && !found.equals(each)) {
        throw new IllegalStateException("throttling: "
            + found
            + " and "
            + each
            + " (expected: the same in all policies of a channel)");
      }
      found = each;
    }
    return found;
  }

  /** Adds the policies to the builder of a channel, and to its service config. */
  void apply(ManagedChannelBuilder<?> builder, Map<String, Object> config) {
    // Also without policies, since calls that have not left this process are always retried.
    builder.perRpcBufferLimit(perRpcBufferLimit).retryBufferSize(retryBufferSize);
    Throttling throttling = throttling();
    if (throttling == null) {
      return;
    }
    builder.enableRetry();
    // gRPC's own maximum is five; it silently reduces larger numbers.
    retries.values().stream()
        .mapToInt(RetryPolicy::maxAttempts)
        .max()
        .ifPresent(builder::maxRetryAttempts);
    hedges.values().stream()
        .mapToInt(HedgingPolicy::maxAttempts)
        .max()
        .ifPresent(builder::maxHedgedAttempts);
    List<Map<String, Object>> methods = new ArrayList<>();
    retries.forEach((name, policy) ->
        methods.add(Map.of("name", List.of(parts(name)), "retryPolicy", policy.config())));
    hedges.forEach((name, policy) ->
        methods.add(Map.of("name", List.of(parts(name)), "hedgingPolicy", policy.config())));
    config.put("methodConfig", methods);
    config.put("retryThrottling", throttling.config());
  }

  private static Map<String, Object> parts(String name) {
    if (name.equals(ALL)) {
      return Map.of();
    }
    int slash = name.indexOf('/');
    return slash < 0
        ? Map.of("service", name)
        : Map.of("service", name.substring(0, slash), "method", name.substring(slash + 1));
  }
}
