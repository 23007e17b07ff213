package dev.mullion.rpc;

import io.grpc.Status;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The meters of calls, by method. This is a separate class because Micrometer may be absent. */
final class MethodMeters {
  private final MeterRegistry registry;
  private final String prefix;
  private final Map<String, OfMethod> methods = new ConcurrentHashMap<>();

  /** Creates meters for a side, {@code server} or {@code client}. */
  MethodMeters(MeterRegistry registry, String side) {
    this.registry = registry;
    this.prefix = "mullion.rpc." + side + ".";
  }

  void message(String method, boolean received, long bytes) {
    OfMethod meters = of(method);
    (received ? meters.received : meters.sent).record((double) bytes);
  }

  void ended(String method, Status.Code status, Duration duration) {
    of(method).timer(status).record(duration);
  }

  private OfMethod of(String method) {
    OfMethod known = methods.get(method);
    return known == null ? kept(methods, method, new OfMethod(method)) : known;
  }

  private final class OfMethod {
    private final String method;
    private final Map<Status.Code, Timer> timers = new ConcurrentHashMap<>();
    final DistributionSummary received;
    final DistributionSummary sent;

    OfMethod(String method) {
      this.method = method;
      received = sizes("received");
      sent = sizes("sent");
    }

    private DistributionSummary sizes(String direction) {
      return DistributionSummary.builder(prefix + "message.size")
          .baseUnit("bytes")
          .tags("method", method, "direction", direction)
          .register(registry);
    }

    Timer timer(Status.Code status) {
      Timer known = timers.get(status);
      return known == null
          ? kept(
              timers,
              status,
              Timer.builder(prefix + "calls")
                  .tags("method", method, "status", status.name())
                  .register(registry))
          : known;
    }
  }

  /**
   * Adds a value unless there is one. The registry, which returns the same meter for the same name,
   * is not called under the map's lock.
   */
  private static <K, V> V kept(Map<K, V> map, K key, V made) {
    V before = map.putIfAbsent(key, made);
    return before == null ? made : before;
  }
}
