package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.LoginRefusedException;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.RequestFailedException;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.JavaProcess;
import dev.mullion.net.Tls;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.SslAuthenticationException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.Test;

/** Errors are told apart, each with the address and the setting. */
class KafkaErrorsTest {
  private final String name = "errors-" + UUID.randomUUID();

  private static KafkaEngine.Builder engine() throws Exception {
    return KafkaEngine.builder(KafkaUnderTest.node().servers());
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

  @Test
  void serverNameIsUnknown() {
    assertThatThrownBy(() -> Messaging.on(KafkaEngine.on("no-such-host.invalid:9092")))
        .isInstanceOf(KafkaFailedException.class)
        .hasMessageContaining("no-such-host.invalid:9092");
  }

  @Test
  void topicIsMissing() throws Exception {
    KafkaEngine engine = engine().topology(KafkaEngine.Topology.MUST_EXIST).build();
    try (Messaging messaging = Messaging.on(engine)) {
      Throwable missing = failure(messaging, Topic.of(name, Codecs.utf8()), "x");
      assertThat(missing)
          .isInstanceOf(MissingAddressException.class)
          .hasMessageContaining(name)
          .hasMessageContaining("MUST_EXIST");
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
          .hasMessageContaining("queue." + name)
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

  private void assertTooLarge(Throwable error) {
    assertThat(error)
        .isInstanceOf(MessageTooLargeException.class)
        .hasMessageContaining(name)
        .hasMessageContaining("maxMessageBytes");
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
          .hasMessageContaining(name);
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
    }
  }

  private static void assertRefused(Messaging messaging, WorkQueue<String> queue, String why) {
    assertThatThrownBy(() -> messaging.declare(queue))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContaining(queue.name())
        .hasMessageContaining(why);
  }

  @Test
  void tlsLoginAndPermissionsAreToldApart() throws Exception {
    KafkaNode node = KafkaUnderTest.node();
    KafkaEngine.Builder builder =
        KafkaEngine.builder(node.secureServers()).tls(Tls.client().trusting(node.authority()));
    assertLoginRefused(builder.sasl("PLAIN", "alice", "wrong").build(), "Builder.sasl");
    KafkaEngine alice =
        builder.sasl("PLAIN", "alice", "alice-secret").prefix("alice.").build();
    try (Messaging messaging = Messaging.on(alice)) {
      Throwable denied = failure(messaging, Topic.of(name, Codecs.utf8()), "x");
      assertThat(denied)
          .isInstanceOf(PermissionDeniedException.class)
          .hasMessageContaining(name)
          .hasMessageContaining("README");
    }
    allow(node, "User:alice", "alice.");
    try (Messaging messaging = Messaging.on(alice)) {
      messaging.publish(Topic.of(name, Codecs.utf8()), "x").get(10, TimeUnit.SECONDS);
      WorkQueue<String> queue = WorkQueue.of(name, Codecs.utf8());
      messaging.push(queue, "x").get(10, TimeUnit.SECONDS);
      BlockingQueue<String> handled = new LinkedBlockingQueue<>();
      messaging.pull(queue, job -> handled.add(job.payload()));
      assertThat(handled.poll(20, TimeUnit.SECONDS)).isEqualTo("x");
      Subject<String, String> subject = Subject.of(name, Codecs.utf8(), Codecs.utf8());
      messaging
          .reply(subject, request -> request.payload() + "!")
          .ready()
          .toCompletableFuture()
          .get(20, TimeUnit.SECONDS);
      assertThat(messaging.request(subject, "x", Duration.ofSeconds(20)).get(20, TimeUnit.SECONDS))
          .isEqualTo("x!");
      messaging.delete(queue).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
    assertLoginRefused(
        builder.tls(Tls.client()).build(), // an authority of the JDK
        "Builder.tls",
        "certification path");
    String number = node.secureServers().replace("localhost", "127.0.0.1");
    assertLoginRefused(
        KafkaEngine.builder(number)
            .tls(Tls.client().trusting(node.authority()))
            .sasl("PLAIN", "alice", "alice-secret")
            .build(),
        "Builder.tls",
        "No subject alternative names"); // it is not in the certificate
  }

  private static void assertLoginRefused(KafkaEngine engine, String... texts) throws Exception {
    assertThatThrownBy(() -> Messaging.on(engine))
        .isInstanceOf(LoginRefusedException.class)
        .hasMessageContaining(KafkaUnderTest.node().secureServers().replaceAll(".*:", ":"))
        .hasMessageContainingAll(texts)
        .hasMessageNotContaining("secret");
  }

  // It ended with "null".
  @Test
  void reasonWithoutTextIsTheNameOfItsClass() {
    Throwable refused = new SslAuthenticationException("no TLS", new ClosedChannelException());
    assertThat(new Errors("localhost:9093", "connectTimeout").of(refused, "the connection", false))
        .hasMessageContaining("no TLS: ClosedChannelException (Kafka at");
  }

  /** Kafka's client is not told why such a listener closes the connection. */
  @Test
  void listenerWithOtherSecurity() throws Exception {
    KafkaNode node = KafkaUnderTest.node();
    KafkaEngine engine = KafkaEngine.builder(node.secureServers())
        .tls(Tls.client().trusting(node.authority()))
        .connectTimeout(Duration.ofSeconds(2))
        .build();
    assertThatThrownBy(() -> Messaging.on(engine))
        .isInstanceOf(BrokerAwayException.class)
        .hasMessageContainingAll(node.secureServers(), "connectTimeout", "tls", "sasl");
  }

  @Test
  @SuppressWarnings("NullAway") // what a user may do all the same
  void loginIsChecked() throws Exception {
    KafkaEngine.Builder builder = engine();
    assertThatThrownBy(() -> builder.sasl("PLAIN", null, "secret")).hasMessage("user");
    assertThatThrownBy(() -> builder.sasl("PLAIN", "alice", null)).hasMessage("password");
    assertThatThrownBy(() -> builder.sasl("GSSAPI", "alice", "secret"))
        .hasMessageContaining("mechanism: GSSAPI (expected: PLAIN");
  }

  @Test
  void tlsOfOthersIsRejected() {
    KafkaEngine.Builder builder = KafkaEngine.builder("localhost:9093");
    Tls server = Tls.server(Path.of("chain.pem"), Path.of("key.pem"));
    assertThatThrownBy(() -> builder.tls(server))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected: Tls.client()");
    KafkaEngine absent =
        builder.tls(Tls.client().trusting(Path.of("absent.pem"))).build();
    assertThatThrownBy(() -> Messaging.on(absent))
        .isInstanceOf(UnsupportedSettingException.class)
        .hasMessageContaining("absent.pem")
        .hasMessageContaining("tls");
  }

  /** Allows what the README says, for names with a prefix. */
  private static void allow(KafkaNode node, String user, String prefix) throws Exception {
    List<AclBinding> all = new ArrayList<>();
    for (AclOperation each : List.of(
        AclOperation.CREATE,
        AclOperation.DESCRIBE,
        AclOperation.READ,
        AclOperation.WRITE,
        AclOperation.DELETE)) {
      all.add(binding(ResourceType.TOPIC, prefix, PatternType.PREFIXED, user, each));
    }
    for (AclOperation each : List.of(AclOperation.CREATE, AclOperation.DESCRIBE)) {
      String givenUp = "dlq." + prefix + "mullion";
      all.add(binding(ResourceType.TOPIC, givenUp, PatternType.LITERAL, user, each));
    }
    for (AclOperation each : List.of(
        AclOperation.READ,
        AclOperation.DESCRIBE,
        AclOperation.DELETE,
        AclOperation.DESCRIBE_CONFIGS,
        AclOperation.ALTER_CONFIGS)) {
      all.add(binding(ResourceType.GROUP, prefix, PatternType.PREFIXED, user, each));
    }
    all.add(binding(
        ResourceType.CLUSTER, "kafka-cluster", PatternType.LITERAL, user, AclOperation.DESCRIBE));
    try (Admin admin = node.admin()) {
      admin.createAcls(all).all().get(10, TimeUnit.SECONDS);
    }
  }

  private static AclBinding binding(
      ResourceType type, String name, PatternType pattern, String user, AclOperation operation) {
    return new AclBinding(
        new ResourcePattern(type, name, pattern),
        new AccessControlEntry(user, "*", operation, AclPermissionType.ALLOW));
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
