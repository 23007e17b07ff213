package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.RpcServer;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Programs that use the broker's own client read what was sent, and send what a handler gets. */
@SuppressWarnings("JavaUtilDate") // of the client
@ExtendWith(WithBroker.class)
class InteropTest {
  private static final String PREFIX = "interop";

  private Messaging messaging;
  private Connection connection;
  private Channel channel;

  @BeforeEach
  void open() throws Exception {
    Broker broker = Broker.shared();
    messaging = Messaging.on(RabbitMqUnderTest.engine(broker.port(), PREFIX));
    connection = Plain.connect(broker.port());
    channel = connection.createChannel();
  }

  @AfterEach
  void close() throws Exception {
    messaging.close();
    connection.close();
  }

  @Test
  void plainConsumerReadsAPushedJob() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("read", Codecs.utf8());
    messaging
        .pushMessage(
            queue,
            Message.of("job")
                .withId("id-1")
                .withKey("key-1")
                .withCorrelationId("correlation-1")
                .withTimestamp(Instant.ofEpochMilli(1_700_000_000_123L))
                .withHeader("own", "value"))
        .get();

    GetResponse got = channel.basicGet(PREFIX + ".queue.read", true);

    assertThat(new String(got.getBody(), StandardCharsets.UTF_8)).isEqualTo("job");
    BasicProperties properties = got.getProps();
    assertThat(properties.getMessageId()).isEqualTo("id-1");
    assertThat(properties.getCorrelationId()).isEqualTo("correlation-1");
    assertThat(properties.getContentType()).isEqualTo(Codecs.utf8().contentType());
    assertThat(properties.getTimestamp()).isEqualTo(new Date(1_700_000_000_000L));
    assertThat(properties.getDeliveryMode()).isEqualTo(2);
    assertThat(properties.getHeaders().get("own")).hasToString("value");
    assertThat(properties.getHeaders().get("mullion-key")).hasToString("key-1");
    assertThat(properties.getHeaders().get("mullion-timestamp")).isEqualTo(1_700_000_000_123L);
  }

  @Test
  void handlerGetsAJobOfAPlainPublisher() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("written", Codecs.utf8());
    BlockingQueue<Message<String>> received = new LinkedBlockingQueue<>();
    messaging.pull(queue, delivery -> received.add(delivery.message()));
    channel.basicPublish(
        "",
        PREFIX + ".queue.written",
        new BasicProperties.Builder()
            .messageId("id-2")
            .contentType("text/plain")
            .correlationId("correlation-2")
            .timestamp(new Date(1_700_000_000_000L))
            .headers(Map.of("text", "value", "number", 7, "mullion-key", "key-2"))
            .build(),
        "plain".getBytes(StandardCharsets.UTF_8));

    Message<String> message = received.poll(10, TimeUnit.SECONDS);

    assertThat(message).isNotNull();
    assertThat(message.payload()).isEqualTo("plain");
    assertThat(message.id()).isEqualTo("id-2");
    assertThat(message.contentType()).hasValue("text/plain");
    assertThat(message.correlationId()).hasValue("correlation-2");
    assertThat(message.timestamp()).isEqualTo(Instant.ofEpochMilli(1_700_000_000_000L));
    assertThat(message.key()).hasValue("key-2");
    assertThat(message.headers()).isEqualTo(Map.of("text", "value", "number", "7"));
  }

  @Test
  void handlerGetsAJobWithoutAnyProperty() throws Exception {
    WorkQueue<String> queue = WorkQueue.of("bare", Codecs.utf8());
    BlockingQueue<Message<String>> received = new LinkedBlockingQueue<>();
    messaging.pull(queue, delivery -> received.add(delivery.message()));
    channel.basicPublish("", PREFIX + ".queue.bare", null, "bare".getBytes(StandardCharsets.UTF_8));

    Message<String> message = received.poll(10, TimeUnit.SECONDS);

    assertThat(message).isNotNull();
    assertThat(message.payload()).isEqualTo("bare");
    assertThat(message.headers()).isEmpty();
  }

  @Test
  void plainSubscriberReadsATopicAndPlainPublisherFeedsIt() throws Exception {
    Topic<String> topic = Topic.of("prices.gold", Codecs.utf8());
    String own = channel.queueDeclare().getQueue();
    channel.queueBind(own, PREFIX + ".topics", "prices.*");
    BlockingQueue<String> received = new LinkedBlockingQueue<>();
    messaging
        .subscribe(topic, delivery -> received.add(delivery.payload()))
        .ready()
        .toCompletableFuture()
        .get(10, TimeUnit.SECONDS);

    messaging.publish(topic, "ours").get();
    channel.basicPublish(
        PREFIX + ".topics", "prices.gold", null, "theirs".getBytes(StandardCharsets.UTF_8));

    assertThat(received.poll(10, TimeUnit.SECONDS)).isEqualTo("ours");
    assertThat(received.poll(10, TimeUnit.SECONDS)).isEqualTo("theirs");
    GetResponse got = channel.basicGet(own, true);
    assertThat(new String(got.getBody(), StandardCharsets.UTF_8)).isEqualTo("ours");
    assertThat(got.getEnvelope().getRoutingKey()).isEqualTo("prices.gold");
  }

  @Test
  void plainCallerGetsAReply() throws Exception {
    Subject<String, String> subject = Subject.of("greet", Codecs.utf8(), Codecs.utf8());
    messaging
        .reply(subject, request -> "hello " + request.payload())
        .ready()
        .toCompletableFuture()
        .get(10, TimeUnit.SECONDS);
    RpcClient client = new RpcClient(new RpcClientParams()
        .channel(channel)
        .exchange("")
        .routingKey(PREFIX + ".subject.greet")
        .timeout(10_000));

    assertThat(client.stringCall("plain")).isEqualTo("hello plain");
  }

  @Test
  void plainReplierAnswersARequest() throws Exception {
    Subject<String, String> subject = Subject.of("plain", Codecs.utf8(), Codecs.utf8());
    channel.queueDeclare(PREFIX + ".subject.plain", false, false, true, null);
    RpcServer server = new RpcServer(channel, PREFIX + ".subject.plain") {
      @Override
      public byte[] handleCall(byte[] request, BasicProperties reply) {
        return ("re " + new String(request, StandardCharsets.UTF_8))
            .getBytes(StandardCharsets.UTF_8);
      }
    };
    Thread serving = new Thread(
        () -> {
          try {
            server.mainloop();
          } catch (Exception e) {
            // Its connection was closed.
          }
        },
        "plain-replier");
    serving.setDaemon(true);
    serving.start();

    Message<String> reply = messaging
        .requestMessage(subject, Message.of("x").withCorrelationId("seen"), Duration.ofSeconds(10))
        .get();

    assertThat(reply.payload()).isEqualTo("re x");
    assertThat(reply.correlationId()).hasValue("seen");
  }
}
