package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;

/** What the broker gives up by itself is not lost. */
class KafkaGivenUpTest {
  private static final long END_NANOS = TimeUnit.SECONDS.toNanos(30);

  private final String name = "given-up-" + UUID.randomUUID();

  @Test
  void brokerKeepsWhatItGivesUp() throws Exception {
    String servers = KafkaUnderTest.node().servers();
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers))) {
      messaging.push(queue, "job").get(10, TimeUnit.SECONDS);
    }
    assertThat(releaseAlways(servers)).isEqualTo(10);
    assertThat(readGivenUp(servers)).contains("job");
  }

  /** Returns how often the broker has delivered the message. */
  private int releaseAlways(String servers) {
    int deliveries = 0;
    try (KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(
        Map.of(
            "bootstrap.servers",
            servers,
            "group.id",
            "queue." + name,
            "share.acknowledgement.mode",
            "explicit"),
        new StringDeserializer(),
        new StringDeserializer())) {
      consumer.subscribe(List.of("queue." + name));
      long end = System.nanoTime() + END_NANOS;
      while (deliveries < 10 && System.nanoTime() - end < 0) {
        for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(100))) {
          deliveries++;
          consumer.acknowledge(each, AcknowledgeType.RELEASE);
        }
        consumer.commitSync();
      }
    }
    return deliveries;
  }

  private List<String> readGivenUp(String servers) {
    List<String> values = new ArrayList<>();
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
        Map.of("bootstrap.servers", servers), new StringDeserializer(), new StringDeserializer())) {
      TopicPartition partition = new TopicPartition("dlq.mullion", 0);
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = System.nanoTime() + END_NANOS;
      while (values.isEmpty() && System.nanoTime() - end < 0) {
        consumer.poll(Duration.ofMillis(100)).forEach(each -> values.add(each.value()));
      }
    }
    return values;
  }
}
