package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.junit.jupiter.api.Test;

/** Programs with Kafka's own client on the other side. */
class KafkaInteropTest {
  private final String name = "interop-" + UUID.randomUUID();

  @Test
  void plainConsumerReadsWhatWasPushed() throws Exception {
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    Instant now = Instant.ofEpochMilli(System.currentTimeMillis());
    Message<String> sent = Message.of("job")
        .withId("id-1")
        .withKey("customer-7")
        .withCorrelationId("order-9")
        .withTimestamp(now)
        .withHeader("tenant", "größe")
        .withHeader("content-type", "a header of the user with a name of ours");
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers()))) {
      messaging.pushMessage(queue, sent).get(10, TimeUnit.SECONDS);
    }
    ConsumerRecord<String, String> read = readFirst("queue." + name);
    assertThat(read.key()).isEqualTo("customer-7");
    assertThat(read.value()).isEqualTo("job");
    assertThat(read.timestamp()).isEqualTo(now.toEpochMilli());
    assertThat(headers(read))
        .containsExactlyInAnyOrder(
            "message-id=id-1",
            "content-type=" + Codecs.utf8().contentType(),
            "correlation-id=order-9",
            "tenant=größe",
            "mullion-header-content-type=a header of the user with a name of ours");
  }

  @Test
  void handlerReceivesWhatPlainProducerSent() throws Exception {
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    LinkedBlockingQueue<Delivery<String>> received = new LinkedBlockingQueue<>();
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers()))) {
      messaging.pull(queue, received::add);
      send("queue." + name, "key", "job", Map.of("tenant", "7", "content-type", "text/x"));
      Delivery<String> delivery = received.poll(15, TimeUnit.SECONDS);
      assertThat(delivery).isNotNull();
      Message<String> message = delivery.message();
      assertThat(message.payload()).isEqualTo("job");
      assertThat(message.key()).contains("key");
      assertThat(message.contentType()).contains("text/x");
      assertThat(message.headers()).isEqualTo(Map.of("tenant", "7"));
      assertThat(message.id()).isEqualTo("queue." + name + "-0-0");
      assertThat(delivery.deliveryCount()).isEqualTo(1);
    }
  }

  @Test
  void topicsAreKafkaTopicsOfTheirFirstWord() throws Exception {
    Topic<String> first = Topic.of(name, Codecs.utf8());
    Topic<String> second = Topic.of(name + ".eu.paris", Codecs.utf8());
    LinkedBlockingQueue<String> live = new LinkedBlockingQueue<>();
    LinkedBlockingQueue<String> grouped = new LinkedBlockingQueue<>();
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers()))) {
      messaging
          .subscribe(Topic.of(name + ".#", Codecs.utf8()), each -> live.add(text(each)))
          .ready()
          .toCompletableFuture()
          .get(15, TimeUnit.SECONDS);
      messaging.pull(second.group("archive"), each -> grouped.add(text(each)));
      messaging.publish(first, "one").get(10, TimeUnit.SECONDS);
      messaging.publish(second, "two").get(10, TimeUnit.SECONDS);
      send(name, "key", "three", Map.of());
      assertThat(take(live, 3))
          .containsExactly(name + " one", name + ".eu.paris two", name + " three");
      assertThat(take(grouped, 1)).containsExactly(name + ".eu.paris two");
    }
    ConsumerRecord<String, String> read = readFirst(name);
    assertThat(read.value()).isEqualTo("one");
    assertThat(read.headers().lastHeader("mullion-topic")).isNull();
  }

  private static String text(Delivery<String> delivery) {
    return delivery.address() + ' ' + delivery.payload();
  }

  private static List<String> take(LinkedBlockingQueue<String> from, int count)
      throws InterruptedException {
    List<String> taken = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      taken.add(from.poll(15, TimeUnit.SECONDS));
    }
    return taken;
  }

  private static String servers() throws Exception {
    return KafkaUnderTest.node().servers();
  }

  private static void send(String topic, String key, String value, Map<String, String> headers)
      throws Exception {
    try (Producer<String, String> producer = TestParts.producer()) {
      ProducerRecord<String, String> sent = new ProducerRecord<>(topic, key, value);
      headers.forEach((name, text) -> sent.headers().add(name, text.getBytes(UTF_8)));
      producer.send(sent).get(10, TimeUnit.SECONDS);
    }
  }

  private static ConsumerRecord<String, String> readFirst(String topic) throws Exception {
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
        Map.of("bootstrap.servers", servers()),
        new StringDeserializer(),
        new StringDeserializer())) {
      TopicPartition partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
      while (System.nanoTime() - end < 0) {
        for (ConsumerRecord<String, String> each : consumer.poll(Duration.ofMillis(100))) {
          return each;
        }
      }
    }
    throw new AssertionError("nothing in " + topic);
  }

  private static List<String> headers(ConsumerRecord<String, String> read) {
    List<String> headers = new ArrayList<>();
    for (Header each : read.headers()) {
      headers.add(each.key() + '=' + new String(each.value(), UTF_8));
    }
    return headers;
  }
}
