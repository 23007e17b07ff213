package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.LoginRefusedException;
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
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What goes wrong is told apart, with its name, the address and the setting. */
@ExtendWith(WithBroker.class)
class ErrorsTest {
  private static RabbitMqEngine.Builder engine() throws Exception {
    return RabbitMqEngine.builder()
        .addresses(Broker.shared().address())
        .prefix("errors")
        .connectTimeout(Duration.ofSeconds(5));
  }

  private static Messaging messaging() throws Exception {
    return Messaging.on(engine().build());
  }

  private static WorkQueue.Builder<String> queue(String name) {
    return WorkQueue.builder(name, Codecs.utf8());
  }

  private static @Nullable Throwable failure(CompletableFuture<?> send) {
    return catchThrowableOfType(ExecutionException.class, send::get).getCause();
  }

  @Test
  void brokerThatIsAway() {
    RabbitMqEngine away = RabbitMqEngine.builder()
        .addresses("127.0.0.1:1")
        .connectTimeout(Duration.ofSeconds(2))
        .build();

    assertThatThrownBy(() -> Messaging.on(away))
        .isInstanceOf(BrokerAwayException.class)
        .hasMessageContainingAll("127.0.0.1:1", "addresses", "connectTimeout");
  }

  @Test
  void wrongPassword() throws Exception {
    RabbitMqEngine wrong = engine().user("guest", "wrong").build();

    assertThatThrownBy(() -> Messaging.on(wrong))
        .isInstanceOf(LoginRefusedException.class)
        .hasMessageContainingAll(Broker.shared().address(), "\"guest\"", "password")
        .hasMessageNotContaining("wrong");
  }

  @Test
  void virtualHostThatIsNotThere() throws Exception {
    RabbitMqEngine missing = engine().virtualHost("nowhere").build();

    assertThatThrownBy(() -> Messaging.on(missing))
        .isInstanceOf(MissingAddressException.class)
        .hasMessageContainingAll(Broker.shared().address(), "\"nowhere\"", "virtualHost");
  }

  @Test
  void userWithoutPermissions() throws Exception {
    Broker broker = Broker.shared();
    broker.addUser("limited");
    RabbitMqEngine limited = engine().user("limited", "secret").build();

    assertThatThrownBy(() -> Messaging.on(limited))
        .isInstanceOf(LoginRefusedException.class)
        .hasMessageContainingAll(broker.address(), "\"limited\"", "virtual host \"/\"");

    broker.control("set_permissions", "limited", "^$", ".*", ".*");
    assertThatThrownBy(() -> Messaging.on(limited))
        .isInstanceOf(PermissionDeniedException.class)
        .hasMessageContainingAll(broker.address(), "errors.topics", "limited");
  }

  @Test
  void userWhoMayNotConfigureCanUseWhatIsThere() throws Exception {
    Broker broker = Broker.shared();
    broker.addUser("user");
    broker.control("set_permissions", "user", "^$", "^amq\\.default$|^errors\\.", "^errors\\.");
    WorkQueue<String> queue = queue("there").build();
    try (Messaging creator = messaging()) {
      creator.declare(queue);
    }
    RabbitMqEngine engine = engine()
        .user("user", "secret")
        .topology(RabbitMqEngine.Topology.MUST_EXIST)
        .build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.push(queue, "job").get();
      WorkQueue<String> missing = queue("missing").build();
      assertThatThrownBy(() -> messaging.declare(missing))
          .isInstanceOf(MissingAddressException.class)
          .hasMessageContainingAll("missing", "topology CREATE", broker.address());
      assertThat(failure(messaging.push(missing, "job")))
          .isInstanceOf(MissingAddressException.class);
    }
  }

  @Test
  void queueThatOthersDeclaredInAnotherWay() throws Exception {
    try (Connection connection = Plain.connect(Broker.shared().port());
        Channel channel = connection.createChannel();
        Messaging messaging = messaging()) {
      channel.queueDeclare("errors.queue.foreign", true, false, false, null);

      assertThatThrownBy(() -> messaging.declare(queue("foreign").build()))
          .isInstanceOf(ConflictingDeclarationException.class)
          .hasMessageContainingAll(
              "errors.queue.foreign", "inequivalent arg", Broker.shared().address());
    }
  }

  @Test
  void messageAboveTheBrokersLimit() throws Exception {
    WorkQueue<byte[]> queue = WorkQueue.of("large", Codecs.bytes());
    try (Messaging messaging =
        Messaging.builder(engine().build()).maxMessageSize(16 << 20).start()) {
      assertThat(failure(messaging.push(queue, new byte[9 << 20])))
          .isInstanceOf(MessageTooLargeException.class)
          .hasMessageContainingAll(
              "max_message_size",
              "8388608",
              "queue errors.queue.large",
              Broker.shared().address());
      messaging.push(queue, new byte[1000]).get();
    }
  }

  @Test
  void headersAboveTheFrameLimit() throws Exception {
    WorkQueue<String> queue = queue("headers").build();
    try (Messaging messaging = messaging()) {
      Message<String> message = Message.of("job").withHeader("large", "x".repeat(200_000));
      assertThat(failure(messaging.pushMessage(queue, message)))
          .isInstanceOf(MessageTooLargeException.class)
          .hasMessageContainingAll(
              "frame_max", "queue errors.queue.headers", Broker.shared().address());
      Message<String> name = Message.of("job").withHeader("n".repeat(300), "x");
      assertThat(failure(messaging.pushMessage(queue, name)))
          .isInstanceOf(MessageTooLargeException.class)
          .hasMessageContainingAll("255", "queue errors.queue.headers");
      messaging.push(queue, "small").get();
    }
  }

  // Its caller waited until its timeout.
  @Test
  void replyAboveALimitIsAnErrorOfTheCaller() throws Exception {
    Subject<String, String> subject = Subject.of("large", Codecs.utf8(), Codecs.utf8());
    try (Messaging messaging =
        Messaging.builder(engine().build()).maxMessageSize(16 << 20).start()) {
      messaging
          .replier(subject)
          .startMessages(request -> CompletableFuture.completedFuture(
              switch (request.payload()) {
                case "body" -> Message.of("x".repeat(9 << 20));
                case "headers" -> Message.of("x").withHeader("large", "x".repeat(200_000));
                default -> Message.of("small");
              }))
          .ready()
          .toCompletableFuture()
          .get(20, TimeUnit.SECONDS);
      Map<String, String> settings = Map.of("body", "max_message_size", "headers", "frame_max");
      settings.forEach((large, setting) -> assertThat(
              failure(messaging.request(subject, large, Duration.ofMinutes(5))))
          .isInstanceOf(RequestFailedException.class)
          .hasMessageContaining(setting));
      assertThat(messaging.request(subject, "small", Duration.ofSeconds(20)).get())
          .isEqualTo("small");
    }
  }

  // The broker handed it out ten thousand times.
  @Test
  void headersThatLeaveNoRoomForThoseOfACopy() throws Exception {
    WorkQueue<String> queue = queue("full-" + System.nanoTime())
        .redelivery(Redelivery.constant(5, Duration.ofMillis(10)))
        .build();
    Queue<String> calls = new ConcurrentLinkedQueue<>();
    try (Connection connection = Plain.connect(Broker.shared().port());
        Channel channel = connection.createChannel();
        Messaging messaging = messaging()) {
      messaging.pull(queue, delivery -> {
        calls.add(delivery.payload());
        throw new IllegalStateException("x".repeat(100_000));
      });
      Map<String, Object> full = Map.of("large", "x".repeat(connection.getFrameMax() - 1_500));
      channel.basicPublish(
          "",
          "errors.queue." + queue.name(),
          new AMQP.BasicProperties.Builder().headers(full).deliveryMode(2).build(),
          "plain".getBytes(StandardCharsets.UTF_8));
      Message<String> large = Message.of("job").withHeader("large", "x".repeat(110_000));
      messaging.pushMessage(queue, large).get();
      Map<String, Integer> letters = letters(messaging, queue);
      assertThat(letters).containsEntry("job", 5).containsKey("plain");
      assertThat(calls.stream().filter("job"::equals)).hasSize(5);
      assertThat(calls.stream().filter("plain"::equals)).hasSize(1);
    }
  }

  /** Waits for two dead letters, and returns their counts. */
  private static Map<String, Integer> letters(Messaging messaging, WorkQueue<String> queue)
      throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    List<DeadLetter> letters = List.of();
    while (letters.size() < 2 && System.nanoTime() - end < 0) {
      letters = messaging.deadLetters(queue).peek(10).toCompletableFuture().get();
    }
    return letters.stream()
        .collect(Collectors.toMap(
            each -> new String(each.original().payload(), StandardCharsets.UTF_8),
            DeadLetter::deliveryCount));
  }

  @Test
  void longTextsGoIntoHeaders() throws Exception {
    WorkQueue<String> queue = queue("long-" + System.nanoTime()).build();
    CompletableFuture<Message<String>> received = new CompletableFuture<>();
    Message<String> sent = Message.of("job")
        .withId("i".repeat(300))
        .withCorrelationId("ü".repeat(200))
        .withHeader("CC", "not the broker's");
    try (Messaging messaging = messaging()) {
      messaging.pushMessage(queue, sent).get();
      messaging.pull(queue, delivery -> received.complete(delivery.message()));
      Message<String> message = received.get();
      assertThat(message.id()).isEqualTo(sent.id());
      assertThat(message.correlationId()).isEqualTo(sent.correlationId());
      assertThat(message.headers()).isEqualTo(Map.of("CC", "not the broker's"));
    }
  }

  @Test
  void settingsThatRabbitMqCannotKeep() throws Exception {
    try (Messaging messaging = messaging()) {
      assertUnsupported(
          messaging, queue("q").capacity(10).overflow(Overflow.DROP_OLDEST).build(), "DROP_OLDEST");
      assertUnsupported(
          messaging,
          Topic.of("t", Codecs.utf8())
              .groupBuilder("g")
              .capacity(10)
              .overflow(Overflow.DROP_NEWEST)
              .build(),
          "capacity: 10");
      assertUnsupported(
          messaging,
          queue("q")
              .redelivery(new Redelivery(1000, Duration.ofMillis(1), 1.01, Duration.ofHours(1)))
              .build(),
          "different delays");
      assertUnsupported(
          messaging, queue("q").handlerTimeout(Duration.ofHours(1)).build(), "consumer_timeout");
      Topic<String> topic = Topic.of("t".repeat(200), Codecs.utf8());
      assertUnsupported(messaging, topic.group("g".repeat(200)), "characters");
    }
  }

  @Test
  void liveSubscribersCannotHoldUpSenders() throws Exception {
    Topic<String> topic = Topic.of("live", Codecs.utf8());
    Signal<String> signal = Signal.of("live", Codecs.utf8());
    try (Messaging messaging = messaging()) {
      for (Overflow each : List.of(Overflow.BLOCK, Overflow.FAIL)) {
        assertThatThrownBy(() -> messaging.subscriber(topic).overflow(each).start(message -> {}))
            .isInstanceOf(UnsupportedSettingException.class)
            .hasMessageContainingAll("overflow: " + each, "DROP_OLDEST, DROP_NEWEST", "live");
        assertThatThrownBy(() -> messaging.receiver(signal).overflow(each).start(message -> {}))
            .isInstanceOf(UnsupportedSettingException.class)
            .hasMessageContainingAll("overflow: " + each, "DROP_OLDEST, DROP_NEWEST", "live");
      }
    }
  }

  @Test
  void delayQueueMustExistToo() throws Exception {
    WorkQueue<String> queue = queue("delayed")
        .redelivery(Redelivery.constant(2, Duration.ofMillis(1234)))
        .build();
    try (Messaging creator = messaging();
        Connection connection = Plain.connect(Broker.shared().port());
        Channel channel = connection.createChannel()) {
      creator.declare(queue);
      channel.queueDelete("errors.delay.1234.delayed");
    }
    RabbitMqEngine engine =
        engine().topology(RabbitMqEngine.Topology.MUST_EXIST).build();
    try (Messaging messaging = Messaging.on(engine)) {
      assertThatThrownBy(() -> messaging.pull(queue, delivery -> {}))
          .isInstanceOf(MissingAddressException.class)
          .hasMessageContaining("errors.delay.1234.delayed");
      assertThatThrownBy(() -> messaging.delete(queue).toCompletableFuture().get())
          .hasCauseInstanceOf(MissingAddressException.class)
          .hasMessageContainingAll("MUST_EXIST", Broker.shared().address());
    }
  }

  @Test
  void userWhoMayNotWrite() throws Exception {
    Broker broker = Broker.shared();
    broker.addUser("reader");
    broker.control("set_permissions", "reader", ".*", "^errors\\.(topics|declarations)$", ".*");
    WorkQueue<String> queue = queue("closed").build();
    try (Messaging creator = messaging()) {
      creator.declare(queue);
    }
    RabbitMqEngine engine = engine()
        .user("reader", "secret")
        .topology(RabbitMqEngine.Topology.MUST_EXIST)
        .build();
    try (Messaging messaging = Messaging.on(engine)) {
      assertThat(failure(messaging.push(queue, "job")))
          .isInstanceOf(PermissionDeniedException.class)
          .hasMessageContainingAll("reader", broker.address());
    }
  }

  private static void assertUnsupported(Messaging messaging, WorkQueue<?> queue, String text) {
    assertThat(
            catchThrowableOfType(UnsupportedSettingException.class, () -> messaging.declare(queue)))
        .hasMessageContainingAll(text, "expected");
  }
}
