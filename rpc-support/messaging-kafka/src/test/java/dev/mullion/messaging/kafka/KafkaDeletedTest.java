package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An operator deletes topics, or a broker has lost its disk: all is made again, and goes on. */
@Timeout(150)
class KafkaDeletedTest {
  private final String prefix = "del-" + UUID.randomUUID().toString().substring(0, 8) + ".";
  private final BlockingQueue<String> received = new LinkedBlockingQueue<>();
  private Messaging messaging;

  @BeforeEach
  void open() throws Exception {
    messaging = Messaging.on(KafkaEngine.builder(KafkaUnderTest.node().servers())
        .prefix(prefix)
        .requestTimeout(Duration.ofSeconds(3))
        .deliveryTimeout(Duration.ofSeconds(3))
        .build());
  }

  @AfterEach
  void close() {
    messaging.close();
  }

  private void deleteAllTopics() throws Exception {
    try (Admin admin =
        Admin.create(Map.of("bootstrap.servers", KafkaUnderTest.node().servers()))) {
      List<String> ours = admin.listTopics().names().get(20, TimeUnit.SECONDS).stream()
          .filter(each -> each.startsWith(prefix))
          .toList();
      admin.deleteTopics(ours).all().get(20, TimeUnit.SECONDS);
    }
  }

  /** What is sent. */
  private interface Send {
    CompletableFuture<?> now() throws Exception;
  }

  /** Sends until one arrives. */
  private void assertGoesOn(Send send) throws Exception {
    received.clear();
    Throwable last = null;
    for (long end = System.nanoTime() + 60_000_000_000L; System.nanoTime() - end < 0; ) {
      try {
        send.now().get(20, TimeUnit.SECONDS);
      } catch (ExecutionException e) {
        last = e.getCause();
      }
      if (received.poll(200, TimeUnit.MILLISECONDS) != null) {
        return;
      }
    }
    throw new AssertionError("nothing arrives", last);
  }

  @Test
  void workersGoOn() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("jobs", Codecs.utf8());
    messaging.pull(queue, job -> received.add(job.payload()));
    assertGoesOn(() -> messaging.push(queue, "before"));
    deleteAllTopics();
    assertGoesOn(() -> messaging.push(queue, "after"));
  }

  @Test
  void workersOfOrderedQueuesGoOn() throws Exception {
    WorkQueue<String> queue =
        WorkQueue.builder("ordered", Codecs.utf8()).ordered(true).build();
    messaging.pull(queue, job -> received.add(job.payload()));
    assertGoesOn(() -> messaging.push(queue, "before"));
    deleteAllTopics();
    assertGoesOn(() -> messaging.push(queue, "after"));
  }

  // They ignored as many messages as there had been before.
  @Test
  void liveSubscribersGoOn() throws Exception {
    Topic<String> topic = Topic.of("topic", Codecs.utf8());
    for (int i = 0; i < 2_000; i++) {
      CompletableFuture<Void> published = messaging.publish(topic, "old");
      if (i % 500 == 499) {
        published.get(20, TimeUnit.SECONDS);
      }
    }
    messaging.subscribe(topic, message -> received.add(message.payload()));
    assertGoesOn(() -> messaging.publish(topic, "before"));
    deleteAllTopics();
    assertGoesOn(() -> messaging.publish(topic, "after"));
  }
}
