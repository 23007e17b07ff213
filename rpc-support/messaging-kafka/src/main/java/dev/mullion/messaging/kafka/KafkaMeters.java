package dev.mullion.messaging.kafka;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.MetricName;
import org.apache.kafka.common.metrics.JmxReporter;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.metrics.MetricsReporter;

/**
 * Publishes the metrics of Kafka's own clients as Micrometer meters. It needs {@code
 * io.micrometer:micrometer-core} on the class path.
 *
 * <pre>{@code
 * KafkaEngine engine = KafkaMeters.bind(KafkaEngine.builder(servers), registry).build();
 * }</pre>
 *
 * <p>The names are those of Kafka with dots, such as {@code
 * kafka.consumer.share.fetch.manager.records.consumed.total}, and the tags are Kafka's; {@code
 * client.id} tells the clients of an engine apart. Totals are counters, all other numbers are
 * gauges. The meters of a client are removed when it is closed.
 */
public final class KafkaMeters {
  static final String REGISTRY = "mullion.meter.registry";

  private KafkaMeters() {}

  /**
   * Adds the metrics of all clients of an engine to a registry, besides JMX.
   *
   * @return the builder
   */
  @SuppressWarnings("exports") // Only callers need Micrometer.
  public static KafkaEngine.Builder bind(KafkaEngine.Builder builder, MeterRegistry registry) {
    return builder
        .property(REGISTRY, requireNonNull(registry, "registry"))
        .property(
            "metric.reporters", List.of(JmxReporter.class.getName(), Reporter.class.getName()));
  }

  /** Created by each client of Kafka. */
  public static final class Reporter implements MetricsReporter {
    private final Map<MetricName, Meter> meters = new HashMap<>(); // guarded by itself
    private MeterRegistry registry = io.micrometer.core.instrument.Metrics.globalRegistry;

    /** For Kafka's clients. */
    public Reporter() {}

    @Override
    public void configure(Map<String, ?> properties) {
      if (properties.get(REGISTRY) instanceof MeterRegistry given) {
        registry = given;
      }
    }

    @Override
    public void init(List<KafkaMetric> metrics) {
      metrics.forEach(this::metricChange);
    }

    @Override
    public void metricChange(KafkaMetric metric) {
      MetricName name = metric.metricName();
      if (name.group().equals("app-info") || name.group().equals("kafka-metrics-count")) {
        return;
      }
      metricRemoval(metric);
      synchronized (meters) {
        meters.put(name, meter(metric));
      }
    }

    private Meter meter(KafkaMetric metric) {
      MetricName name = metric.metricName();
      String text = "kafka." + name.group().replaceFirst("-metrics$", "") + '.' + name.name();
      String dotted = text.replace('-', '.');
      Tags tags = Tags.empty();
      for (Map.Entry<String, String> each : name.tags().entrySet()) {
        tags = tags.and(each.getKey().replace('-', '.'), each.getValue());
      }
      return name.name().endsWith("-total")
          ? FunctionCounter.builder(dotted, metric, Reporter::value).tags(tags).register(registry)
          : Gauge.builder(dotted, metric, Reporter::value).tags(tags).register(registry);
    }

    private static double value(KafkaMetric metric) {
      return metric.metricValue() instanceof Number number ? number.doubleValue() : Double.NaN;
    }

    @Override
    public void metricRemoval(KafkaMetric metric) {
      synchronized (meters) {
        Meter removed = meters.remove(metric.metricName());
        if (removed != null) {
          registry.remove(removed);
        }
      }
    }

    @Override
    public void close() {
      synchronized (meters) {
        meters.values().forEach(registry::remove);
        meters.clear();
      }
    }
  }
}
