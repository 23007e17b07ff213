package dev.mullion.messaging;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class MessagingMetricsTest extends CoreTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

  private double value(String name) {
    Meter meter =
        registry.get("mullion.messaging." + name).tag("engine", "fake").meter();
    return meter.measure().iterator().next().getValue();
  }

  @Test
  void eachCounterIsAMeter() throws Exception {
    MessagingMetrics.bind(start(), registry);

    for (var component : MessagingCounters.class.getRecordComponents()) {
      String name = component.getName().replaceAll("([A-Z])", ".$1").toLowerCase(Locale.ROOT);
      assertThat(value(name)).isZero();
    }
    assertThat(registry.getMeters())
        .hasSize(MessagingCounters.class.getRecordComponents().length + 1);
  }

  @Test
  void valuesAreThoseOfTheCounters() throws Exception {
    engine.sending = (route, message) -> new java.util.concurrent.CompletableFuture<>();
    engine.tryingToSend = (signal, message) -> false;
    Messaging messaging = start();
    MessagingMetrics metrics = MessagingMetrics.bind(messaging, registry, "instance", "a");
    messaging.push(JOBS, "12345");
    messaging.send(TICKS, "x");
    engine.context().events().connectionRestored("here", java.time.Duration.ZERO);

    assertThat(value("sent")).isEqualTo(2);
    assertThat(value("pending")).isEqualTo(1);
    assertThat(value("pending.bytes")).isEqualTo(5);
    assertThat(value("dropped")).isEqualTo(1);
    assertThat(value("reconnects")).isEqualTo(1);
    assertThat(value("up")).isEqualTo(1);
    assertThat(registry.getMeters())
        .allMatch(meter -> "a".equals(meter.getId().getTag("instance")));
    messaging.stop(java.time.Duration.ZERO);
    assertThat(value("up")).isZero();

    metrics.close();
    assertThat(registry.getMeters()).isEmpty();
  }
}
