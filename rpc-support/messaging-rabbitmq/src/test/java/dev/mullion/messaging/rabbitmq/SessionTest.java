package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** All subscriptions share a session, so the end of one of them must not end it. */
@ExtendWith(WithBroker.class)
class SessionTest {
  private final Queue<Throwable> losses = new ConcurrentLinkedQueue<>();
  private Session session;
  private Channel channel;

  @BeforeEach
  void open() throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setHost("127.0.0.1");
    factory.setPort(Broker.shared().port());
    factory.setAutomaticRecoveryEnabled(false);
    session = Session.open(factory, ConnectionFactory::newConnection, new Session.Observer() {
      @Override
      public void lost(Session session, Throwable cause) {
        losses.add(cause);
      }

      @Override
      public void closed(Session session, Lane.Kind kind, Lane lane, Throwable cause) {
        losses.add(cause);
      }

      @Override
      public void replied(AMQP.BasicProperties properties, byte[] body) {}

      @Override
      public void signalReturned(String routingKey) {}
    });
    channel = session.newChannel();
  }

  @AfterEach
  void drop() {
    session.drop();
  }

  @Test
  void goesOnWithoutAQueueThatWasDeleted() {
    assertThat(use(() -> channel.queueDeclarePassive("session.deleted"))).isFalse();
    assertThat(channel.isOpen()).isFalse();
    assertThat(use(() -> channel.queueDeclarePassive("session.deleted"))).isFalse();
    assertGoesOn();
  }

  @Test
  void goesOnWithoutAChannelThatWasClosedHere() {
    Session.abort(channel);
    assertThat(use(() -> channel.queueDeclarePassive("session.closed"))).isFalse();
    assertGoesOn();
  }

  @Test
  void goesOnWithoutAChannelThatTheBrokerClosed() {
    assertThat(use(() -> channel.exchangeDeclare("amq.topic", "fanout"))).isFalse();
    assertThat(channel.isOpen()).isFalse();
    assertGoesOn();
  }

  @Test
  void endsWithTheFirstFailure() {
    IOException first = new IOException("the first");
    use(() -> {
      throw first;
    });
    use(() -> {
      throw new IOException("the second");
    });
    assertThat(losses).containsExactly(first);
  }

  private void assertGoesOn() {
    assertThat(losses).isEmpty();
    assertThat(session.isOver()).isFalse();
  }

  private boolean use(Session.Use channel) {
    return session.use(channel, silent -> fail("no answer on " + silent));
  }
}
