package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;

/**
 * Publishes the {@link MessagingCounters} of a {@code Messaging} as Micrometer meters. It needs
 * {@code io.micrometer:micrometer-core} on the class path.
 *
 * <pre>{@code
 * MessagingMetrics.bind(messaging, registry, "instance", "orders");
 * }</pre>
 *
 * <p>Each count is a counter by its name, such as {@code mullion.messaging.late.replies}; {@code
 * pending}, {@code pending.bytes}, {@code handlers.running} and {@code handlers.waiting} are
 * gauges, and so is {@code mullion.messaging.up}: 1 if the engine can be reached, else 0. All have
 * the tag {@code engine}. Two {@code Messaging} on one engine need tags that tell them apart, since
 * a registry keeps the first meter of a name.
 */
public final class MessagingMetrics implements AutoCloseable {
  private static final String PREFIX = "mullion.messaging.";

  private final Messaging messaging;
  private final MeterRegistry registry;
  private final Tags tags;
  private final List<Meter> meters = new ArrayList<>();

  private MessagingMetrics(Messaging messaging, MeterRegistry registry, Tags tags) {
    this.messaging = messaging;
    this.registry = registry;
    this.tags = tags;
  }

  /**
   * Adds the meters to a registry; they stay until the result is closed.
   *
   * @param tags further tags: names and values in turn
   * @throws IllegalStateException if micrometer-core is missing
   */
  @SuppressWarnings("exports") // Only callers need Micrometer.
  public static MessagingMetrics bind(Messaging messaging, MeterRegistry registry, String... tags) {
    OptionalLibrary.check(
        "MessagingMetrics",
        "io.micrometer.core.instrument.MeterRegistry",
        "io.micrometer:micrometer-core",
        "micrometer.core");
    requireNonNull(messaging, "messaging");
    requireNonNull(registry, "registry");
    String engine = messaging instanceof RunningMessaging own ? own.engineName() : "unknown";
    MessagingMetrics metrics =
        new MessagingMetrics(messaging, registry, Tags.of(tags).and("engine", engine));
    metrics.addAll();
    return metrics;
  }

  private void addAll() {
    counter("sent", MessagingCounters::sent);
    counter("accepted", MessagingCounters::accepted);
    counter("failed", MessagingCounters::failed);
    counter("dropped", MessagingCounters::dropped);
    gauge("pending", MessagingCounters::pending);
    gauge("pending.bytes", MessagingCounters::pendingBytes);
    counter("requests", MessagingCounters::requests);
    counter("timed.out", MessagingCounters::timedOut);
    counter("late.replies", MessagingCounters::lateReplies);
    gauge("handlers.running", MessagingCounters::handlersRunning);
    gauge("handlers.waiting", MessagingCounters::handlersWaiting);
    counter("listener.failures", MessagingCounters::listenerFailures);
    counter("events.omitted", MessagingCounters::eventsOmitted);
    counter("reconnects", MessagingCounters::reconnects);
    meters.add(Gauge.builder(PREFIX + "up", () -> messaging.health().up() ? 1 : 0)
        .tags(tags)
        .strongReference(true)
        .register(registry));
  }

  private void counter(String name, ToLongFunction<MessagingCounters> count) {
    // A registry holds the measured object weakly, but the function strongly.
    meters.add(
        FunctionCounter.builder(PREFIX + name, this, any -> count.applyAsLong(messaging.counters()))
            .tags(tags)
            .register(registry));
  }

  private void gauge(String name, ToLongFunction<MessagingCounters> count) {
    meters.add(Gauge.builder(PREFIX + name, () -> count.applyAsLong(messaging.counters()))
        .tags(tags)
        .strongReference(true)
        .register(registry));
  }

  /** Removes the meters from the registry. */
  @Override
  public void close() {
    meters.forEach(registry::remove);
  }
}
