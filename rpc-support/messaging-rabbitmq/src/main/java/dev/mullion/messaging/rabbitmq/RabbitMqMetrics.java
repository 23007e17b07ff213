package dev.mullion.messaging.rabbitmq;

import static java.util.Objects.requireNonNull;

import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.MetricsCollector;
import com.rabbitmq.client.impl.MicrometerMetricsCollector;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.function.Consumer;

/**
 * Publishes the counts of RabbitMQ's client as Micrometer meters: connections, channels, published,
 * confirmed, consumed, acknowledged messages. It needs {@code io.micrometer:micrometer-core} on the
 * class path; those of {@code Messaging} itself are in {@code MessagingMetrics}.
 *
 * <pre>{@code
 * RabbitMqEngine.builder().client(RabbitMqMetrics.to(registry, "application", "orders"));
 * }</pre>
 */
public final class RabbitMqMetrics {
  private static final String PREFIX = "rabbitmq";

  private RabbitMqMetrics() {}

  /**
   * Returns what {@link RabbitMqEngine.Builder#client} takes. All {@code Messaging} of the engine
   * have their counts in the same meters, which stay in the registry.
   *
   * @param tags names and values in turn
   */
  @SuppressWarnings("exports") // Only callers need Micrometer.
  public static Consumer<ConnectionFactory> to(MeterRegistry registry, String... tags) {
    requireNonNull(registry, "registry");
    MetricsCollector collector =
        new MicrometerMetricsCollector(registry, PREFIX, Tags.of(requireNonNull(tags, "tags")));
    return factory -> factory.setMetricsCollector(collector);
  }
}
