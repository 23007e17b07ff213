package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.RequestFailedException;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.JavaProcess;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Errors are told apart, each with the address and the setting. */
class KafkaErrorsTest {
  private final String name = "errors-" + UUID.randomUUID();

  private static KafkaEngine.Builder engine() throws Exception {
    return KafkaEngine.builder(servers());
  }

  private static String servers() throws Exception {
    return KafkaUnderTest.node().servers();
  }

  @Test
  void brokerIsAway() throws Exception {
    String nobody = "127.0.0.1:" + JavaProcess.freePort();
    KafkaEngine engine =
        KafkaEngine.builder(nobody).connectTimeout(Duration.ofMillis(300)).build();
    assertThatThrownBy(() -> Messaging.on(engine))
        .isInstanceOf(BrokerAwayException.class)
        .hasMessageContaining(nobody)
        .hasMessageContaining("connectTimeout");
  }

  // The question of the first connection ended after requestTimeout.
  @Test
  void firstConnectionHasItsOwnTimeout() throws Exception {
    KafkaEngine engine = KafkaEngine.builder("127.0.0.1:" + JavaProcess.freePort())
        .requestTimeout(Duration.ofMillis(1))
        .connectTimeout(Duration.ofMillis(500))
        .build();
    long begin = System.nanoTime();
    assertThatThrownBy(() -> Messaging.on(engine)).isInstanceOf(BrokerAwayException.class);
    assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThan(Duration.ofMillis(400));
  }

  @Test
  void serverNameIsUnknown() {
    assertThatThrownBy(() -> Messaging.on(KafkaEngine.on("no-such-host.invalid:9092")))
        .isInstanceOf(BrokerAwayException.class)
        .hasMessageContainingAll("no-such-host.invalid:9092", "servers of KafkaEngine.builder");
  }

  @Test
  void topicIsMissing() throws Exception {
    KafkaEngine engine = engine().topology(KafkaEngine.Topology.MUST_EXIST).build();
    try (Messaging messaging = Messaging.on(engine)) {
      Throwable missing = failure(messaging, Topic.of(name, Codecs.utf8()), "x");
      assertThat(missing)
          .isInstanceOf(MissingAddressException.class)
          .hasMessageContainingAll(name, servers(), "MUST_EXIST");
    }
  }

  // What was pushed before the first worker came was lost.
  @Test
  void shareGroupIsNotConfigured() throws Exception {
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    try (Messaging creator = Messaging.on(engine().build())) {
      creator.declare(queue);
    }
    KafkaEngine engine = engine().topology(KafkaEngine.Topology.MUST_EXIST).build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.push(queue, "x").get(10, TimeUnit.SECONDS);
    }
    try (Admin admin =
        Admin.create(Map.of("bootstrap.servers", KafkaUnderTest.node().servers()))) {
      AlterConfigOp unset = new AlterConfigOp(
          new ConfigEntry("share.auto.offset.reset", ""), AlterConfigOp.OpType.DELETE);
      ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, "queue." + name);
      admin.incrementalAlterConfigs(Map.of(group, List.of(unset))).all().get(10, TimeUnit.SECONDS);
    }
    try (Messaging messaging = Messaging.on(engine)) {
      assertThatThrownBy(() -> messaging.declare(queue))
          .isInstanceOf(ConflictingDeclarationException.class)
          .hasMessageContainingAll("queue." + name, servers(), "MUST_EXIST")
          .hasMessageContaining("share.auto.offset.reset=latest (expected: earliest");
    }
  }

  @Test
  void messageIsTooLarge() throws Exception {
    KafkaEngine engine = engine().maxMessageBytes(10_000).build();
    try (Messaging messaging = Messaging.on(engine)) {
      Throwable large = failure(messaging, Topic.of(name, Codecs.utf8()), "x".repeat(20_000));
      assertTooLarge(large);
      Message<String> headers = Message.of("x").withHeader("large", "x".repeat(10_000));
      WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
      assertTooLarge(failure(messaging.pushMessage(queue, headers)));
      Subject<String, String> subject = Subject.of(name, Codecs.utf8(), Codecs.utf8());
      assertTooLarge(failure(messaging.requestMessage(subject, headers, Duration.ofSeconds(20))));
      messaging.push(queue, "x".repeat(9_000)).get(10, TimeUnit.SECONDS);
    }
  }

  @Test
  void messageIsTooLargeForItsTopic() throws Exception {
    try (Admin admin =
        Admin.create(Map.of("bootstrap.servers", KafkaUnderTest.node().servers()))) {
      NewTopic small =
          new NewTopic(name, 1, (short) 1).configs(Map.of("max.message.bytes", "1000"));
      admin.createTopics(List.of(small)).all().get(10, TimeUnit.SECONDS);
    }
    try (Messaging messaging = Messaging.on(engine().build())) {
      Topic<String> topic = Topic.of(name, Codecs.utf8());
      Throwable large = failure(messaging, topic, "x".repeat(2_000));
      assertTooLarge(large);
      assertThat(large).hasMessageContaining("max.message.bytes");
      messaging.publish(topic, "small").get(10, TimeUnit.SECONDS);
    }
  }

  private void assertTooLarge(Throwable error) throws Exception {
    assertThat(error)
        .isInstanceOf(MessageTooLargeException.class)
        .hasMessageContainingAll(name, servers(), "maxMessageBytes");
  }

  // Its text did not tell where.
  @Test
  void declarationIsInConflict() throws Exception {
    try (Messaging messaging = Messaging.on(engine().build())) {
      messaging.declare(WorkQueue.of(name, Codecs.utf8()));
      WorkQueue<String> other = WorkQueue.builder(name, Codecs.utf8())
          .handlerTimeout(Duration.ofSeconds(7))
          .build();
      assertThatThrownBy(() -> messaging.declare(other))
          .isInstanceOf(ConflictingDeclarationException.class)
          .hasMessageContainingAll(
              name, servers(), "handlerTimeout: PT7S (declared: PT30S)", "redeclare");
    }
  }

  // Its text did not name the setting.
  @Test
  void clusterHasTooFewBrokers() throws Exception {
    KafkaEngine engine = engine().prefix("few-brokers.").replicationFactor(3).build();
    try (Messaging messaging = Messaging.on(engine)) {
      assertThat(failure(messaging, Topic.of(name, Codecs.utf8()), "x"))
          .isInstanceOf(KafkaFailedException.class)
          .hasMessageContainingAll(name, servers(), "replicationFactor");
    }
  }

  // Its text did not name the setting.
  @Test
  void brokerAllowsNoLockOfThatLength() throws Exception {
    KafkaEngine engine = engine().lockDuration(Duration.ofHours(1)).build();
    try (Messaging messaging = Messaging.on(engine)) {
      assertThat(failure(messaging.push(WorkQueue.of(name, Codecs.utf8()), "x")))
          .isInstanceOf(KafkaFailedException.class)
          .hasMessageContainingAll("queue." + name, servers(), "lockDuration PT1H");
    }
  }

  @Test
  void settingsThatTheClientRejects() throws Exception {
    KafkaEngine engine = engine().property("acks", "1").build(); // not with an idempotent producer
    assertThatThrownBy(() -> Messaging.on(engine))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContainingAll(servers(), "acks", "Builder.property");
  }

  // Without shares, or before 4.2.
  @Test
  void brokerThatIsTooOld() {
    Throwable old = new UnsupportedVersionException("no SHARE_FETCH");
    assertThat(new Errors("localhost:9092", "requestTimeout").of(old, "a share group", false))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContainingAll("localhost:9092", "no SHARE_FETCH", "4.2");
  }

  // Its caller waited until its timeout.
  @Test
  void replyThatIsTooLargeIsAnErrorOfTheCaller() throws Exception {
    KafkaEngine engine = engine().maxMessageBytes(10_000).build();
    Subject<String, String> subject = Subject.of(name, Codecs.utf8(), Codecs.utf8());
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.reply(subject, request -> "x".repeat(20_000));
      assertThat(failure(messaging.request(subject, "x", Duration.ofSeconds(60))))
          .isInstanceOf(RequestFailedException.class)
          .hasMessageContaining("maxMessageBytes");
    }
  }

  @Test
  void deletedQueueIsMissing() throws Exception {
    WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
    try (Messaging one =
            Messaging.on(engine().deliveryTimeout(Duration.ofSeconds(3)).build());
        Messaging two = Messaging.on(engine().build())) {
      one.push(queue, "x").get(10, TimeUnit.SECONDS);
      two.delete(queue).toCompletableFuture().get(10, TimeUnit.SECONDS);
      Throwable error = null;
      for (int i = 0; i < 100 && error == null; i++) { // until its client has noticed
        error = catchThrowable(() -> one.push(queue, "x").get(60, TimeUnit.SECONDS));
      }
      assertThat(error == null ? null : error.getCause())
          .isInstanceOf(MissingAddressException.class)
          .hasMessageContainingAll(name, servers(), "topology");
      one.push(queue, "declared again").get(10, TimeUnit.SECONDS);
    }
  }

  @Test
  void whatKafkaCannotDoIsRefused() throws Exception {
    try (Messaging messaging = Messaging.on(engine().build())) {
      WorkQueue.Builder<String> queue = WorkQueue.builder(name, Codecs.utf8());
      assertRefused(messaging, queue.capacity(5).build(), "capacity");
      Redelivery many = new Redelivery(1000, Duration.ofMillis(1), 1.01, Duration.ofHours(1));
      assertRefused(messaging, queue.capacity(0).redelivery(many).build(), "delays");
      assertThatThrownBy(() -> messaging.subscribe(Topic.of("*.x", Codecs.utf8()), each -> {}))
          .isInstanceOf(UnsupportedSettingException.class)
          .hasMessageContaining("wildcards");
      Topic<String> topic = Topic.of(name + "t".repeat(140), Codecs.utf8());
      WorkQueue<String> group = topic.group("g".repeat(100));
      assertThatThrownBy(() -> messaging.declare(group))
          .isInstanceOf(UnsupportedSettingException.class)
          .hasMessageContainingAll(topic.name(), "characters (expected: <= 249");
      assertLiveCannotHoldUpSenders(messaging, Overflow.BLOCK);
      assertLiveCannotHoldUpSenders(messaging, Overflow.FAIL);
    }
  }

  private void assertLiveCannotHoldUpSenders(Messaging messaging, Overflow overflow) {
    Topic<String> topic = Topic.of(name, Codecs.utf8());
    Signal<String> signal = Signal.of(name, Codecs.utf8());
    for (ThrowingCallable start : List.<ThrowingCallable>of(
        () -> messaging.subscriber(topic).overflow(overflow).start(each -> {}),
        () -> messaging.receiver(signal).overflow(overflow).start(each -> {}))) {
      assertThatThrownBy(start)
          .isInstanceOf(UnsupportedSettingException.class)
          .hasMessageContainingAll("overflow: " + overflow, name, "Guarantees.overflows");
    }
  }

  private static void assertRefused(Messaging messaging, WorkQueue<String> queue, String why) {
    assertThatThrownBy(() -> messaging.declare(queue))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContaining(queue.name())
        .hasMessageContaining(why);
  }

  /** Returns with what a publish fails. */
  private static Throwable failure(Messaging messaging, Topic<String> topic, String payload) {
    return failure(messaging.publish(topic, payload));
  }

  private static Throwable failure(CompletableFuture<?> send) {
    Throwable error = catchThrowable(() -> send.get(30, TimeUnit.SECONDS));
    return error.getCause() == null ? error : error.getCause();
  }
}
