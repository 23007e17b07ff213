package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.LoginRefusedException;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.net.Tls;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.errors.SslAuthenticationException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a user may not do is told apart, with the address and the setting. */
class KafkaSecurityTest {
  private final String name = "security-" + UUID.randomUUID();

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
          .hasMessageContainingAll(name, node.secureServers(), "README");
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

  @ParameterizedTest
  @ValueSource(strings = {"SCRAM-SHA-256", "SCRAM-SHA-512"})
  void loginByScram(String mechanism) throws Exception {
    KafkaNode node = KafkaUnderTest.node();
    String user = "of " + mechanism;
    String password = "a \\ and a \"";
    try (Admin admin = node.admin()) {
      ScramCredentialInfo scram =
          new ScramCredentialInfo(ScramMechanism.fromMechanismName(mechanism), 4_096);
      admin
          .alterUserScramCredentials(
              List.of(new UserScramCredentialUpsertion(user, scram, password)))
          .all()
          .get(10, TimeUnit.SECONDS);
    }
    KafkaEngine.Builder builder =
        KafkaEngine.builder(node.secureServers()).tls(Tls.client().trusting(node.authority()));
    awaitLogin(builder.sasl(mechanism, user, password).build());
    assertLoginRefused(builder.sasl(mechanism, user, "wrong").build(), "Builder.sasl");
  }

  /** Connects, once the node knows the user. */
  private static void awaitLogin(KafkaEngine engine) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    boolean done = false;
    while (!done) {
      try {
        Messaging.on(engine).close();
        done = true;
      } catch (LoginRefusedException e) {
        assertThat(System.nanoTime() - end).as(e.toString()).isNegative();
      }
    }
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
  void loginIsChecked() {
    KafkaEngine.Builder builder = KafkaEngine.builder("localhost:9093");
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
    Throwable error =
        catchThrowable(() -> messaging.publish(topic, payload).get(30, TimeUnit.SECONDS));
    return error.getCause() == null ? error : error.getCause();
  }
}
