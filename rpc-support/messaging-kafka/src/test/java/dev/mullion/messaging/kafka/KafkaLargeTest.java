package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A message that no copy can be made of holds up nothing that comes behind it. */
class KafkaLargeTest {
  private static final int MOST = 20_000;

  private final String name = "large-" + UUID.randomUUID();
  private final Topic<String> topic = Topic.of(name, Codecs.utf8());
  private final WorkQueue<String> group = topic.group("group");
  private final BlockingQueue<String> handled = new LinkedBlockingQueue<>();
  private Messaging messaging;

  @BeforeEach
  void open() throws Exception {
    messaging = Messaging.on(KafkaEngine.builder(KafkaUnderTest.node().servers())
        .maxMessageBytes(MOST)
        .build());
  }

  @AfterEach
  void close() {
    messaging.close();
  }

  @Test
  void largestMessageHasRoomForItsCountsAndItsError() throws Exception {
    WorkQueue<String> queue = WorkQueue.builder(name, Codecs.utf8())
        .redelivery(Redelivery.constant(2, Duration.ofMillis(10)))
        .build();
    messaging.pull(queue, job -> {
      handled.add(job.payload());
      throw new IllegalStateException("e".repeat(100_000));
    });
    String largest = "x".repeat(MOST - 300);
    get(messaging.push(queue, largest));
    await(() -> letters(queue).size() == 1);
    assertThat(handled).containsExactly(largest, largest);
    assertThat(letters(queue)).allMatch(each -> each.deliveryCount() == 2);
  }

  // Its group took no further message.
  @Test
  void groupGoesOnWithADeadLetter() throws Exception {
    messaging.pull(group, job -> handled.add(job.payload()));
    limit("group." + name + ".group", 1_000);
    get(messaging.publish(topic, "x".repeat(5_000)));
    get(messaging.publish(topic, "next"));
    assertThat(handled.poll(30, TimeUnit.SECONDS)).isEqualTo("next");
    await(() -> letters(group).size() == 1);
    DeadLetter letter = letters(group).get(0);
    assertThat(letter.reason()).isEqualTo(DeadLetter.Reason.OVERFLOW);
    assertThat(letter.error()).contains("no topic of the queue takes its copy");
    assertThat(letter.original().payload()).hasSize(5_000);
  }

  @Test
  void failedJobBecomesADeadLetterAtOnce() throws Exception {
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    get(messaging.push(queue, "x".repeat(5_000)));
    limit("queue." + name, 1_000);
    messaging.pull(queue, job -> {
      handled.add(job.payload());
      throw new IllegalStateException("fails");
    });
    get(messaging.push(queue, "next"));
    await(() -> letters(queue).stream().anyMatch(each -> each.original().payload().length > 1_000));
    assertThat(handled.stream().filter(each -> each.length() > 1_000)).hasSize(1);
    assertThat(letters(queue)).allMatch(each -> each.deliveryCount() >= 1);
  }

  // A client that compresses can write what is larger than all topics allow.
  @Test
  void whatCannotBeADeadLetterEitherIsCounted() throws Exception {
    messaging.pull(group, job -> handled.add(job.payload()));
    try (KafkaProducer<String, String> plain = new KafkaProducer<>(
        Map.of(
            "bootstrap.servers",
            KafkaUnderTest.node().servers(),
            "compression.type",
            "gzip",
            "max.request.size",
            10_000_000),
        new StringSerializer(),
        new StringSerializer())) {
      plain.send(new ProducerRecord<>(name, "x".repeat(1_000_000))).get(20, TimeUnit.SECONDS);
    }
    get(messaging.publish(topic, "next"));
    assertThat(handled.poll(30, TimeUnit.SECONDS)).isEqualTo("next");
    assertThat(letters(group)).isEmpty();
    QueueStatus status = get(messaging.queues()).stream()
        .filter(each -> each.source().filter(name::equals).isPresent())
        .findFirst()
        .orElseThrow();
    assertThat(status.deadLettersDropped()).isEqualTo(1);
  }

  private static void limit(String kafkaTopic, int bytes) throws Exception {
    try (Admin admin =
        Admin.create(Map.of("bootstrap.servers", KafkaUnderTest.node().servers()))) {
      AlterConfigOp limit = new AlterConfigOp(
          new ConfigEntry("max.message.bytes", "" + bytes), AlterConfigOp.OpType.SET);
      admin
          .incrementalAlterConfigs(
              Map.of(new ConfigResource(ConfigResource.Type.TOPIC, kafkaTopic), List.of(limit)))
          .all()
          .get(20, TimeUnit.SECONDS);
    }
  }

  private List<DeadLetter> letters(WorkQueue<?> of) {
    return get(messaging.deadLetters(of).peek(10));
  }

  private static <T> T get(CompletionStage<T> stage) {
    return stage.toCompletableFuture().orTimeout(20, TimeUnit.SECONDS).join();
  }

  private static void await(BooleanSupplier condition) {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime() - end).isNegative();
      LockSupport.parkNanos(10_000_000);
    }
  }
}
