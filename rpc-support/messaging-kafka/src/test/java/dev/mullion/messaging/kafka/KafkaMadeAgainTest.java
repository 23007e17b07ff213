package dev.mullion.messaging.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * An operator deletes a topic and makes it again, and soon it has more records than before: offsets
 * that somebody remembers still exist, and mean other records.
 */
@Timeout(150)
class KafkaMadeAgainTest {
  private static final int BEFORE = 5;
  private static final int AFTER = 20;

  private final String prefix = "again-" + UUID.randomUUID().toString().substring(0, 8) + ".";
  private final BlockingQueue<String> received = new LinkedBlockingQueue<>();
  private Messaging messaging;

  @BeforeEach
  void open() throws Exception {
    messaging = Messaging.on(KafkaEngine.builder(KafkaUnderTest.node().servers())
        .prefix(prefix)
        .requestTimeout(Duration.ofSeconds(20))
        .build());
  }

  @AfterEach
  void close() {
    messaging.close();
  }

  private void makeAgain(String name, int partitions, String policy) throws Exception {
    NewTopic topic = new NewTopic(prefix + name, Optional.of(partitions), Optional.empty());
    topic.configs(Map.of("cleanup.policy", policy));
    try (Admin admin = KafkaUnderTest.node().admin()) {
      admin.deleteTopics(List.of(topic.name())).all().get(20, TimeUnit.SECONDS);
      admin.createTopics(List.of(topic)).all().get(20, TimeUnit.SECONDS);
    }
  }

  /** Sends all with one key, so to one partition. */
  private Set<String> sendAfter(String name) throws Exception {
    Set<String> sent = names("after", AFTER);
    send(name, sent, payload -> "key");
    return sent;
  }

  /** Sends with a client that has not known the former topic. */
  private void send(String name, Set<String> payloads, UnaryOperator<String> key) throws Exception {
    List<Future<?>> answers = new ArrayList<>();
    try (Producer<String, String> producer = TestParts.producer()) {
      for (String each : payloads) {
        answers.add(producer.send(new ProducerRecord<>(prefix + name, key.apply(each), each)));
      }
      for (Future<?> each : answers) {
        each.get(20, TimeUnit.SECONDS);
      }
    }
  }

  private void assertReceived(Set<String> expected) throws Exception {
    Set<String> missing = new TreeSet<>(expected);
    long end = System.nanoTime() + 60_000_000_000L;
    while (!missing.isEmpty()) {
      String next = received.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      assertNotNull(next, () -> "lost: " + missing);
      missing.remove(next);
    }
  }

  private static Set<String> names(String prefix, int count) {
    Set<String> names = new TreeSet<>();
    for (int i = 0; i < count; i++) {
      names.add(prefix + i);
    }
    return names;
  }

  private void publishBefore(Topic<String> topic) throws Exception {
    Set<String> before = names("before", BEFORE);
    for (String each : before) {
      messaging.publish(topic, each).get(20, TimeUnit.SECONDS);
    }
    assertReceived(before);
  }

  private void push(WorkQueue<String> queue, Set<String> payloads) throws Exception {
    for (String each : payloads) {
      Message<String> message = Message.of(each).withKey("key");
      messaging.pushMessage(queue, message).get(20, TimeUnit.SECONDS);
    }
  }

  @Test
  void liveSubscriberMissesNothing() throws Exception {
    Topic<String> topic = Topic.of("live", Codecs.utf8());
    messaging
        .subscribe(topic, message -> received.add(message.payload()))
        .ready()
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS);
    publishBefore(topic);
    makeAgain("live", 2, "delete"); // with more partitions too
    assertReceived(sendAfter("live"));
  }

  @Test
  void groupMissesNothing() throws Exception {
    Topic<String> topic = Topic.of("source", Codecs.utf8());
    messaging.pull(topic.group("all"), job -> received.add(job.payload()));
    publishBefore(topic);
    makeAgain("source", 1, "delete");
    assertReceived(sendAfter("source"));
  }

  @Test
  void groupWithoutWorkersMissesNothing() throws Exception {
    Topic<String> topic = Topic.of("source", Codecs.utf8());
    messaging.pull(topic.group("all"), job -> received.add(job.payload()));
    publishBefore(topic);
    messaging.close();
    makeAgain("source", 1, "delete");
    Set<String> sent = sendAfter("source");
    open();
    messaging.pull(topic.group("all"), job -> received.add(job.payload()));
    assertReceived(sent);
  }

  @Test
  void orderedQueueMissesNothing() throws Exception {
    WorkQueue<String> queue =
        WorkQueue.builder("ordered", Codecs.utf8()).ordered(true).build();
    messaging.pull(queue, job -> received.add(job.payload()));
    push(queue, names("before", BEFORE));
    assertReceived(names("before", BEFORE));
    makeAgain("queue.ordered", 8, "delete");
    assertReceived(sendAfter("queue.ordered"));
  }

  @Test
  void delayedJobsAreNotMissed() throws Exception {
    WorkQueue<String> queue = WorkQueue.builder("delayed", Codecs.utf8())
        .redelivery(Redelivery.constant(2, Duration.ofMillis(100)))
        .build();
    messaging.pull(queue, job -> TestParts.failFirst(job, received));
    push(queue, names("before", BEFORE));
    assertReceived(names("before", BEFORE));
    makeAgain("queue-retry-100.delayed", 1, "delete");
    push(queue, names("after", AFTER));
    assertReceived(names("after", AFTER));
  }

  @Test
  void lettersAreThoseOfTheNewTopic() throws Exception {
    WorkQueue<String> queue = WorkQueue.builder("dying", Codecs.utf8())
        .redelivery(Redelivery.immediate(1))
        .build();
    messaging.declare(queue);
    send("queue-dead.dying", names("old", BEFORE), letter -> letter);
    assertEquals(names("old", BEFORE), letters(queue));
    makeAgain("queue-dead.dying", 1, "compact");
    send("queue-dead.dying", names("new", BEFORE + 1), letter -> letter);
    assertEquals(names("new", BEFORE + 1), letters(queue));
    assertEquals(
        BEFORE + 1,
        messaging
            .queues()
            .toCompletableFuture()
            .get(20, TimeUnit.SECONDS)
            .get(0)
            .deadLetters());
  }

  private Set<String> letters(WorkQueue<String> queue) throws Exception {
    Set<String> letters = new TreeSet<>();
    messaging
        .deadLetters(queue)
        .peek(100)
        .toCompletableFuture()
        .get(20, TimeUnit.SECONDS)
        .forEach(
            each -> letters.add(new String(each.original().payload(), StandardCharsets.UTF_8)));
    return letters;
  }
}
