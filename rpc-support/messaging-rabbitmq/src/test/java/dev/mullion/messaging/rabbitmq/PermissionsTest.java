package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Signal;
import dev.mullion.messaging.Subject;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The permissions that the README lists are enough. */
@ExtendWith(WithBroker.class)
class PermissionsTest {
  private static final String CONFIGURE = "^permitted\\.|^amq\\.gen";
  private static final String WRITE = "^permitted\\.|^amq\\.(default|gen)";
  private static final String READ = "^permitted\\.|^amq\\.gen";

  private final WorkQueue<String> queue = WorkQueue.builder("jobs", Codecs.utf8())
      .redelivery(Redelivery.constant(2, Duration.ofMillis(50)))
      .build();
  private final Topic<String> topic = Topic.of("topic", Codecs.utf8());
  private final Subject<String, String> subject =
      Subject.of("subject", Codecs.utf8(), Codecs.utf8());
  private final Signal<String> signal = Signal.of("signal", Codecs.utf8());
  private final BlockingQueue<String> received = new LinkedBlockingQueue<>();

  @Test
  void userOfTheReadmeCanDoEverything() throws Exception {
    Broker broker = Broker.shared();
    broker.addUser("permitted");
    broker.control("set_permissions", "permitted", CONFIGURE, WRITE, READ);
    RabbitMqEngine engine = RabbitMqEngine.builder()
        .addresses(broker.address())
        .user("permitted", "secret")
        .prefix("permitted")
        .build();
    try (Messaging messaging = Messaging.on(engine)) {
      messaging.pull(queue, delivery -> {
        received.add("job " + delivery.deliveryCount());
        throw new IllegalStateException("expected");
      });
      messaging.push(queue, "job").get(20, TimeUnit.SECONDS);
      assertReceived("job 1");
      assertReceived("job 2");
      awaitDeadLetter(messaging);
      assertThat(messaging.deadLetters(queue).peek(1).toCompletableFuture().get())
          .hasSize(1);

      messaging.subscribe(topic, delivery -> received.add("live"));
      messaging.publish(topic, "x").get(20, TimeUnit.SECONDS);
      assertReceived("live");
      messaging.pull(topic.group("group"), delivery -> received.add("group"));
      messaging.publish(topic, "x").get(20, TimeUnit.SECONDS);
      assertThat(received.poll(20, TimeUnit.SECONDS)).isIn("live", "group");
      assertThat(received.poll(20, TimeUnit.SECONDS)).isIn("live", "group");

      messaging.reply(subject, question -> "reply");
      assertThat(messaging.request(subject, "x", Duration.ofSeconds(20)).get()).isEqualTo("reply");
      messaging.receive(signal, delivery -> received.add("signal"));
      assertThat(messaging.send(signal, "x")).isTrue();
      assertReceived("signal");
      messaging.delete(queue).toCompletableFuture().get(20, TimeUnit.SECONDS);
    }
  }

  private void assertReceived(String text) throws InterruptedException {
    assertThat(received.poll(20, TimeUnit.SECONDS)).isEqualTo(text);
  }

  private void awaitDeadLetter(Messaging messaging) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (messaging.deadLetters(queue).count().toCompletableFuture().get() == 0) {
      assertThat(System.nanoTime()).isLessThan(end);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
