package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.util.Collection;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class KafkaMetersTest {
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

  @Test
  void metricsOfAllClientsAreThereUntilTheyAreClosed() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("meters-" + UUID.randomUUID(), Codecs.utf8());
    CountDownLatch handled = new CountDownLatch(3);
    KafkaEngine engine = KafkaMeters.bind(
            KafkaEngine.builder(KafkaUnderTest.node().servers()), registry)
        .build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.pull(queue, job -> handled.countDown());
      for (int i = 0; i < 3; i++) {
        messaging.push(queue, "job").get(10, TimeUnit.SECONDS);
      }
      assertThat(handled.await(20, TimeUnit.SECONDS)).isTrue();
      awaitTotal("kafka.producer.topic.record.send.total");
      awaitTotal("kafka.consumer.share.fetch.manager.records.consumed.total");
      assertThat(registry.find("kafka.admin.client.connection.count").gauges()).isNotEmpty();
    }
    assertThat(registry.getMeters()).isEmpty();
  }

  /** The clients count a moment later. */
  private void awaitTotal(String name) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (total(name) < 3) {
      assertThat(System.nanoTime() - end).as(name + ": " + total(name)).isNegative();
      LockSupport.parkNanos(5_000_000);
    }
  }

  private double total(String name) {
    Collection<FunctionCounter> all = registry.find(name).functionCounters();
    return all.stream().mapToDouble(FunctionCounter::count).sum();
  }
}
