package dev.mullion.messaging.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import dev.mullion.messaging.testing.UnheardEvents;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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
    messaging = Messaging.on(builder(requestTimeout).build());
  }

  private KafkaEngine.Builder builder(Duration requestTimeout) throws Exception {
    return KafkaEngine.builder(KafkaUnderTest.node().servers())
        .prefix(prefix)
        .requestTimeout(requestTimeout)
        .deliveryTimeout(Duration.ofSeconds(3));
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

  private void deleteKind(String kind) throws Exception {
    deleteTopics(each -> each.startsWith(prefix + kind));
  }

  /** Deletes topics, and returns once the node itself has done so. */
  private void deleteTopics(Predicate<String> which) throws Exception {
    try (Admin admin = KafkaUnderTest.node().admin()) {
      Map<String, Uuid> deleted = new HashMap<>();
      admin.listTopics().listings().get(20, TimeUnit.SECONDS).stream()
          .filter(each -> which.test(each.name()))
          .forEach(each -> deleted.put(each.name(), each.topicId()));
      assertFalse(deleted.isEmpty());
      admin.deleteTopics(deleted.keySet()).all().get(20, TimeUnit.SECONDS);
      until(() -> admin.listTopics().listings().get(20, TimeUnit.SECONDS).stream()
          .noneMatch(each -> each.topicId().equals(deleted.get(each.name()))));
    }
  }

  /** Asks the node until this is so. */
  private static void until(Callable<Boolean> condition) throws Exception {
    long end = System.nanoTime() + 60_000_000_000L;
    Exception last = null;
    while (System.nanoTime() - end < 0) {
      try {
        if (condition.call()) {
          return;
        }
      } catch (ExecutionException e) { // such as no topic
        last = e;
      }
    }
    throw new AssertionError("did not come true", last);
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

  /** What is sent with a payload. */
  private interface SendOne {
    CompletableFuture<?> now(String payload) throws Exception;
  }

  /** Sends messages, each until it is acknowledged; all of them must arrive. */
  private void assertAllArrive(String prefix, SendOne... sends) throws Exception {
    Set<String> missing = new TreeSet<>();
    for (int i = 0; i < 5; i++) {
      for (int each = 0; each < sends.length; each++) {
        String payload = prefix + each + '-' + i;
        missing.add(payload);
        acknowledged(payload, sends[each]);
      }
    }
    long end = System.nanoTime() + 60_000_000_000L;
    while (!missing.isEmpty()) {
      String arrived = received.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
      assertNotNull(arrived, () -> "lost: " + missing);
      missing.remove(arrived);
    }
  }

  private static void acknowledged(String payload, SendOne send) throws Exception {
    long end = System.nanoTime() + 60_000_000_000L;
    while (true) {
      try {
        send.now(payload).get(20, TimeUnit.SECONDS);
        return;
      } catch (ExecutionException e) {
        if (System.nanoTime() - end > 0) {
          throw e;
        }
      }
    }
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

  // Nobody made the topic of a group again: its publishers do not know it.
  @Test
  void groupsGoOn() throws Exception {
    Topic<String> topic = Topic.of("source", Codecs.utf8());
    messaging.pull(topic.group("all"), job -> received.add(job.payload()));
    assertArrives("before", () -> messaging.publish(topic, "before"));
    deleteKind("group.");
    assertAllArrive("after", payload -> messaging.publish(topic, payload));
  }

  // Each copy that found no topic counted as a delivery.
  @Test
  void delayedJobsGoOn() throws Exception {
    WorkQueue<String> queue = WorkQueue.builder("delayed", Codecs.utf8())
        .redelivery(Redelivery.constant(2, Duration.ofMillis(100)))
        .build();
    messaging.pull(queue, job -> TestParts.failFirst(job, received));
    assertArrives("before", () -> messaging.push(queue, "before"));
    deleteKind("queue-retry-");
    assertAllArrive("after", payload -> messaging.push(queue, payload));
    assertEquals(0, letters(queue));
  }

  private long letters(WorkQueue<?> queue) throws Exception {
    return messaging.deadLetters(queue).count().toCompletableFuture().get(20, TimeUnit.SECONDS);
  }

  private void awaitLetters(WorkQueue<?> queue, long count) throws Exception {
    until(() -> letters(queue) == count);
  }

  private static WorkQueue<String> failing(String name, boolean ordered) {
    return WorkQueue.builder(name, Codecs.utf8())
        .redelivery(Redelivery.immediate(1))
        .ordered(ordered)
        .build();
  }

  private static void fail(Delivery<String> job) {
    throw new IllegalStateException(job.payload());
  }

  // The broker gave messages up that could not be buried.
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void deadLettersGoOn(boolean ordered) throws Exception {
    WorkQueue<String> queue = failing("dying", ordered);
    messaging.pull(queue, KafkaDeletedTest::fail);
    acknowledged("before", payload -> messaging.push(queue, payload));
    awaitLetters(queue, 1);
    deleteKind("queue-dead.");
    for (int i = 0; i < 5; i++) {
      acknowledged("after" + i, payload -> messaging.push(queue, payload));
    }
    awaitLetters(queue, 5);
  }

  @Test
  void suspectsGoOn() throws Exception {
    Route.Queue queue = TestParts.queue("killing", 2, false);
    LinkedBlockingQueue<RawDelivery> delivered = new LinkedBlockingQueue<>();
    try (EngineLink link = builder(Duration.ofSeconds(20)).build().open(TestParts.context())) {
      link.prepare(queue, EngineLink.Declaration.CHECK);
      Source source = link.consume(
          queue, new ConsumerSettings(2, 2, 0, Overflow.BLOCK), TestParts.keeping(delivered));
      source.request(2);
      link.send(queue, Message.of(Codecs.utf8().encode("job")))
          .toCompletableFuture()
          .get(20, TimeUnit.SECONDS);
      RawDelivery first = delivered.poll(60, TimeUnit.SECONDS);
      assertNotNull(first);
      deleteKind("queue-suspect.");
      first.settle(new Outcome.GiveBack(true));
      RawDelivery second = delivered.poll(60, TimeUnit.SECONDS);
      assertNotNull(second);
      assertEquals(1, second.losses());
    }
  }

  // A continuation that did not return ended the look for topics.
  @Test
  void topicsAreMadeAgainWhileCallbacksAreHeldUp() throws Exception {
    EngineContext context =
        new EngineContext(new UnheardEvents(), held -> {}, 10, Duration.ofSeconds(10));
    Route.Topic topic = new Route.Topic("held");
    try (EngineLink link = builder(Duration.ofSeconds(20)).build().open(context);
        Admin admin = KafkaUnderTest.node().admin()) {
      ConsumerSettings settings = new ConsumerSettings(2, 2, 10, Overflow.DROP_OLDEST);
      link.consume(topic, settings, TestParts.keeping(new LinkedBlockingQueue<>()));
      deleteKind("held");
      until(() -> admin.listTopics().names().get(20, TimeUnit.SECONDS).contains(prefix + "held"));
    }
  }

  // The missing topic was not told of, and what needed it was given up.
  @Test
  void missingTopicIsToldAndAwaitedIfItMustExist() throws Exception {
    WorkQueue<String> queue = failing("kept", false);
    messaging.declare(queue);
    String dead = prefix + "queue-dead.kept";
    BlockingQueue<String> told = new LinkedBlockingQueue<>();
    Logger logger = Logger.getLogger(KafkaEngine.class.getPackageName());
    Handler handler = new Handler() {
      @Override
      public void publish(LogRecord log) {
        if (log.getMessage().contains("has no topic " + dead)) {
          told.add(log.getMessage());
        }
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
    logger.addHandler(handler);
    KafkaEngine checking = builder(Duration.ofSeconds(20))
        .topology(KafkaEngine.Topology.MUST_EXIST)
        .build();
    try (Messaging other = Messaging.on(checking)) {
      other.pull(queue, KafkaDeletedTest::fail);
      deleteKind("queue-dead.");
      assertNotNull(told.poll(60, TimeUnit.SECONDS));
      acknowledged("job", payload -> messaging.push(queue, payload));
      try (Admin admin = KafkaUnderTest.node().admin()) {
        NewTopic made = new NewTopic(dead, Optional.of(1), Optional.empty());
        admin
            .createTopics(List.of(made.configs(Map.of("cleanup.policy", "compact"))))
            .all()
            .get(20, TimeUnit.SECONDS);
      }
      awaitLetters(queue, 1);
      assertEquals(List.of(), List.copyOf(told)); // once
    } finally {
      logger.removeHandler(handler);
    }
  }

  @Test
  void everythingGoesOnWhateverIsDeleted() throws Exception {
    openPatient();
    Random random = new Random(prefix.hashCode());
    Topic<String> topic = Topic.of("source", Codecs.utf8());
    WorkQueue<String> queue = WorkQueue.builder("jobs", Codecs.utf8())
        .redelivery(Redelivery.constant(2, Duration.ofMillis(100)))
        .build();
    WorkQueue<String> ordered =
        WorkQueue.builder("ordered", Codecs.utf8()).ordered(true).build();
    messaging.pull(queue, job -> TestParts.failFirst(job, received));
    messaging.pull(ordered, job -> received.add(job.payload()));
    messaging.pull(topic.group("all"), job -> received.add(job.payload()));
    for (int round = 0; round < 3; round++) {
      assertAllArrive(
          "round" + round + '-',
          payload -> messaging.push(queue, payload),
          payload -> messaging.push(ordered, payload),
          payload -> messaging.publish(topic, payload));
      String one = List.of("queue", "group", "source", "mullion").get(random.nextInt(4));
      deleteTopics(each ->
          each.startsWith(prefix) && (each.startsWith(prefix + one) || random.nextBoolean()));
    }
    assertAllArrive(
        "last-",
        payload -> messaging.push(queue, payload),
        payload -> messaging.push(ordered, payload),
        payload -> messaging.publish(topic, payload));
  }
}
