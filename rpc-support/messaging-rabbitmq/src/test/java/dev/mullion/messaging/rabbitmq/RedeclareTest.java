package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Topic;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** A group that is declared anew has its new topic, and no other one. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class RedeclareTest {
  private final String word = "moved" + System.nanoTime();
  private final Topic<String> before = Topic.of(word + ".before", Codecs.utf8());
  private final Topic<String> after = Topic.of(word + ".after", Codecs.utf8());
  private final BlockingQueue<String> handled = new LinkedBlockingQueue<>();
  private Messaging messaging;

  @BeforeEach
  void start() throws Exception {
    messaging = Messaging.builder(RabbitMqUnderTest.engine(Broker.shared().port(), "redeclare"))
        .start();
    messaging.pull(before.group("group"), job -> handled.add(job.payload()));
    messaging.redeclare(after.group("group"));
  }

  @AfterEach
  void close() {
    messaging.close();
  }

  @Test
  void losesItsOldTopic() throws Exception {
    assertOnlyNewTopicArrives();
  }

  @Test
  void doesNotGetItBackFromAWorkerThatBeginsAgain() throws Exception {
    try (Connection operator = Plain.connect(Broker.shared().port());
        Channel channel = operator.createChannel()) {
      channel.exchangeDelete("redeclare.topics");
    }
    String back = null;
    for (int i = 0; back == null && i < 300; i++) { // nobody gets it before the bindings are back
      messaging.publish(after, "bound").get(30, TimeUnit.SECONDS);
      back = handled.poll(100, TimeUnit.MILLISECONDS);
    }
    assertThat(back).isEqualTo("bound");
    assertOnlyNewTopicArrives();
  }

  private void assertOnlyNewTopicArrives() throws Exception {
    messaging.publish(before, "old topic").get(30, TimeUnit.SECONDS);
    messaging.publish(after, "new topic").get(30, TimeUnit.SECONDS);
    String first = "bound";
    while ("bound".equals(first)) {
      first = handled.poll(30, TimeUnit.SECONDS);
    }
    assertThat(first).isEqualTo("new topic");
  }
}
