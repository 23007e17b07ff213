package dev.mullion.messaging.kafka;

import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
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
import java.util.function.Predicate;
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
    open(Duration.ofSeconds(3));
  }

  /** A new node needs seconds for its first share group. */
  private void openPatient() throws Exception {
    messaging.close();
    open(Duration.ofSeconds(20));
  }

  private void open(Duration requestTimeout) throws Exception {
    messaging = Messaging.on(KafkaEngine.builder(KafkaUnderTest.node().servers())
        .prefix(prefix)
        .requestTimeout(requestTimeout)
        .deliveryTimeout(Duration.ofSeconds(3))
        .build());
  }

  @AfterEach
  void close() {
    messaging.close();
  }

  private void deleteAllTopics() throws Exception {
    deleteTopics(each -> each.startsWith(prefix));
  }

  private void deleteReplies() throws Exception {
    deleteTopics(each -> each.equals(prefix + "mullion.replies"));
  }

  private void deleteTopics(Predicate<String> which) throws Exception {
    try (Admin admin =
        Admin.create(Map.of("bootstrap.servers", KafkaUnderTest.node().servers()))) {
      List<String> ours = admin.listTopics().names().get(20, TimeUnit.SECONDS).stream()
          .filter(which)
          .toList();
      assertFalse(ours.isEmpty());
      admin.deleteTopics(ours).all().get(20, TimeUnit.SECONDS);
    }
  }

  /** What is sent. */
  private interface Send {
    CompletableFuture<?> now() throws Exception;
  }

  /** Sends until one with this payload arrives. */
  private void assertArrives(String payload, Send send) throws Exception {
    Throwable last = null;
    for (long end = System.nanoTime() + 60_000_000_000L; System.nanoTime() - end < 0; ) {
      try {
        send.now().get(20, TimeUnit.SECONDS);
      } catch (ExecutionException e) {
        last = e.getCause();
      }
      String arrived = received.poll(200, TimeUnit.MILLISECONDS);
      while (arrived != null) {
        if (arrived.equals(payload)) {
          return;
        }
        arrived = received.poll();
      }
    }
    throw new AssertionError("nothing arrives", last);
  }

  @Test
  void workersGoOn() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("jobs", Codecs.utf8());
    messaging.pull(queue, job -> received.add(job.payload()));
    assertArrives("before", () -> messaging.push(queue, "before"));
    deleteAllTopics();
    assertArrives("after", () -> messaging.push(queue, "after"));
  }

  @Test
  void workersOfOrderedQueuesGoOn() throws Exception {
    WorkQueue<String> queue =
        WorkQueue.builder("ordered", Codecs.utf8()).ordered(true).build();
    messaging.pull(queue, job -> received.add(job.payload()));
    assertArrives("before", () -> messaging.push(queue, "before"));
    deleteAllTopics();
    assertArrives("after", () -> messaging.push(queue, "after"));
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
    assertArrives("before", () -> messaging.publish(topic, "before"));
    deleteAllTopics();
    assertArrives("after", () -> messaging.publish(topic, "after"));
  }

  /** Asks; a reply counts as received. */
  private CompletableFuture<?> ask(Subject<String, String> subject, String question) {
    return messaging.request(subject, question, Duration.ofSeconds(3)).thenAccept(received::add);
  }

  @Test
  void repliesComeAgain() throws Exception {
    openPatient();
    Subject<String, String> subject = Subject.of("echo", Codecs.utf8(), Codecs.utf8());
    messaging.reply(subject, request -> request.payload());
    assertArrives("before", () -> ask(subject, "before"));
    deleteReplies();
    assertArrives("after", () -> ask(subject, "after"));
  }

  // The first request of a link waited for ever.
  @Test
  void firstRequestMakesTheTopicOfRepliesAgain() throws Exception {
    openPatient();
    Subject<String, String> subject = Subject.of("first", Codecs.utf8(), Codecs.utf8());
    messaging.reply(subject, request -> request.payload());
    deleteReplies();
    assertArrives("after", () -> ask(subject, "after"));
  }

  @Test
  void signalsGoOn() throws Exception {
    openPatient();
    Signal<String> signal = Signal.of("signal", Codecs.utf8());
    messaging.receive(signal, each -> received.add(each.payload()));
    assertArrives("before", () -> sent(signal, "before"));
    deleteAllTopics();
    assertArrives("after", () -> sent(signal, "after"));
  }

  private CompletableFuture<?> sent(Signal<String> signal, String payload) {
    messaging.send(signal, payload);
    return CompletableFuture.completedFuture(null);
  }
}
