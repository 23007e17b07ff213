package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(WithBroker.class)
class MetricsTest {
  @Test
  void countsOfTheClientAreMeters() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    RabbitMqEngine engine = RabbitMqEngine.builder()
        .addresses(Broker.shared().address())
        .prefix("metrics")
        .client(RabbitMqMetrics.to(registry, "application", "orders"))
        .build();
    WorkQueue<String> queue = WorkQueue.of("q" + System.nanoTime(), Codecs.utf8());
    CountDownLatch handled = new CountDownLatch(1);
    try (Messaging first = Messaging.on(engine);
        Messaging second = Messaging.on(engine)) {
      first.declare(queue);
      double before = count(registry, "rabbitmq.published");
      first.push(queue, "job").get(20, TimeUnit.SECONDS);
      assertThat(count(registry, "rabbitmq.published")).isEqualTo(before + 1);
      second.pull(queue, delivery -> handled.countDown());
      assertThat(handled.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(count(registry, "rabbitmq.consumed")).isPositive();
      assertThat(connections(registry)).isEqualTo(4);
    }
    awaitNoConnection(registry); // the client counts it once its own threads have ended it
  }

  private static void awaitNoConnection(SimpleMeterRegistry registry) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (connections(registry) != 0) {
      assertThat(System.nanoTime()).isLessThan(end);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }

  private static double count(SimpleMeterRegistry registry, String name) {
    return registry.get(name).tag("application", "orders").counter().count();
  }

  private static double connections(SimpleMeterRegistry registry) {
    return registry.get("rabbitmq.connections").gauge().value();
  }
}
