package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.Test;

/** One message has one dead letter, even if it was duplicated. */
class KafkaLettersTest {
  private final WorkQueue<String> queue = WorkQueue.builder(
          "letters-" + UUID.randomUUID(), Codecs.utf8())
      .redelivery(Redelivery.immediate(1))
      .build();
  private final Semaphore calls = new Semaphore(0);

  @Test
  void secondLetterOfOneMessageReplacesTheFirst() throws Exception {
    try (Messaging messaging = Messaging.on(KafkaEngine.on(KafkaUnderTest.node().servers()))) {
      messaging.pull(queue, job -> {
        calls.release();
        throw new IllegalStateException("fails");
      });
      copy("job");
      copy("job");
      awaitCalls(2);
      assertThat(letters(messaging, 1))
          .singleElement()
          .satisfies(letter -> assertThat(letter.original().id()).isEqualTo("id"));
      DeadLetters letters = messaging.deadLetters(queue);
      assertThat(letters.redrive(1, letter -> true).toCompletableFuture().get(10, TimeUnit.SECONDS))
          .isEqualTo(1);
      awaitCalls(1);
      assertThat(letters(messaging, 1)).hasSize(1);
    }
  }

  @Test
  void twoPushesWithOneIdAreTwoMessages() throws Exception {
    try (Messaging messaging = Messaging.on(KafkaEngine.on(KafkaUnderTest.node().servers()))) {
      messaging.pull(queue, job -> {
        calls.release();
        throw new IllegalStateException("fails");
      });
      for (int i = 0; i < 2; i++) {
        messaging.pushMessage(queue, Message.of("job").withId("id")).get(10, TimeUnit.SECONDS);
      }
      awaitCalls(2);
      assertThat(letters(messaging, 2)).hasSize(2);
    }
  }

  // The broker went on to delete letters after the earlier age.
  @Test
  void topicKeepsLettersForTheAgeThatIsDeclaredLast() throws Exception {
    String servers = KafkaUnderTest.node().servers();
    try (Messaging messaging = Messaging.on(KafkaEngine.on(servers));
        Admin admin = Admin.create(Map.of("bootstrap.servers", servers))) {
      messaging.declare(queue);
      messaging.redeclare(WorkQueue.builder(queue.name(), Codecs.utf8())
          .deadLetterAge(Duration.ofDays(99))
          .build());
      ConfigResource dead =
          new ConfigResource(ConfigResource.Type.TOPIC, "queue-dead." + queue.name());
      String millis = "" + Duration.ofDays(99).toMillis();
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (!retention(admin, dead).equals(millis)) { // until the node has heard of it
        assertThat(System.nanoTime() - end).isNegative();
      }
    }
  }

  private static String retention(Admin admin, ConfigResource topic) throws Exception {
    Map<ConfigResource, Config> configs =
        admin.describeConfigs(List.of(topic)).all().get(10, TimeUnit.SECONDS);
    return requireNonNull(configs.get(topic)).get("retention.ms").value();
  }

  /** Sends what a worker sends that dies between the copy and the acknowledgement. */
  private void copy(String value) throws Exception {
    try (Producer<String, String> producer = TestParts.producer()) {
      ProducerRecord<String, String> sent = new ProducerRecord<>("queue." + queue.name(), value);
      sent.headers().add(Records.ID, "id".getBytes(UTF_8));
      sent.headers().add(Records.ORIGIN, "queue-0-7".getBytes(UTF_8));
      producer.send(sent).get(10, TimeUnit.SECONDS);
    }
  }

  private void awaitCalls(int count) throws InterruptedException {
    assertThat(calls.tryAcquire(count, 30, TimeUnit.SECONDS)).isTrue();
  }

  /** Returns the letters, once there are that many and nothing is left in the queue. */
  private List<DeadLetter> letters(Messaging messaging, int count) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (System.nanoTime() - end < 0) {
      boolean empty = messaging.queues().toCompletableFuture().get(10, TimeUnit.SECONDS).stream()
          .filter(status -> status.name().equals(queue.name()))
          .allMatch(status -> status.waiting() + status.inFlight() == 0);
      List<DeadLetter> letters =
          messaging.deadLetters(queue).peek(10).toCompletableFuture().get(10, TimeUnit.SECONDS);
      if (empty && letters.size() >= count) {
        return letters;
      }
    }
    throw new AssertionError("no " + count + " letters");
  }
}
