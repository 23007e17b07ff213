package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.MessageProperties;
import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The broker closes a channel while much is written there. The connection goes on. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class ChannelCloseTest {
  // The answer to the close was written before what other threads had written earlier: "504
  // CHANNEL_ERROR - expected 'channel.open'" ended the connection.
  @ParameterizedTest
  @CsvSource({"10, 200", "1000, 200", "1000000, 50"})
  void manyWritesAtAClose(int bytes, int rounds) throws Exception {
    EventLoopGroup group =
        new MultiThreadIoEventLoopGroup(1, Threads.named("io"), NioIoHandler.newFactory());
    RabbitMqEngine engine = RabbitMqUnderTest.engine(Broker.shared().port(), "closes");
    WriteGate gate = new WriteGate();
    ConnectionFactory factory = engine.factory(group, null);
    factory.netty().channelCustomizer(gate::watch);
    try (Connection connection = factory.newConnection(engine.addresses())) {
      for (int round = 0; round < rounds; round++) {
        Channel channel = connection.createChannel();
        CompletableFuture<Void> written =
            CompletableFuture.runAsync(() -> write(channel, new byte[bytes], gate));
        publish(channel, "no-such-exchange", new byte[bytes]);
        Throwable end = catchThrowable(() -> written.get(30, TimeUnit.SECONDS));
        assertThat(end).as("round %s", round).hasCauseInstanceOf(AlreadyClosedException.class);
        assertThat(connection.getCloseReason()).as("round %s", round).isNull();
      }
    } finally {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }

  private static void write(Channel channel, byte[] body, WriteGate gate) {
    while (true) {
      try {
        gate.awaitOpen(1_000);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      publish(channel, "", body);
    }
  }

  private static void publish(Channel channel, String exchange, byte[] body) {
    try {
      channel.basicPublish(exchange, "no-such-queue", MessageProperties.MINIMAL_BASIC, body);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @ParameterizedTest
  @CsvSource({"10, 500, 20", "100000, 20, 20", "1000000, 10, 5"})
  void publishesThatAreForbiddenAmongPushes(int bytes, int open, int rounds) throws Exception {
    Broker broker = Broker.shared();
    broker.addUser("pushes" + bytes);
    broker.control(
        "set_permissions", "pushes" + bytes, ".*", "^amq\\.default$|^closes\\.(queue|dec)", ".*");
    RabbitMqEngine engine = RabbitMqEngine.builder()
        .addresses(broker.address())
        .prefix("closes")
        .user("pushes" + bytes, "secret")
        .build();
    WorkQueue<byte[]> queue = WorkQueue.of("pushed-" + bytes, Codecs.bytes());
    Topic<String> forbidden = Topic.of("forbidden", Codecs.utf8());
    Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
    Semaphore free = new Semaphore(open);
    try (Messaging messaging = Messaging.builder(engine)
        .listener(new MessagingListener() {
          @Override
          public void connectionLost(String where, Throwable cause) {
            failures.add(cause);
          }
        })
        .start()) {
      messaging.pull(queue, job -> {});
      for (int round = 0; round < rounds; round++) {
        CompletableFuture<Void> refused = messaging.publish(forbidden, "x");
        do {
          if (free.tryAcquire(10, TimeUnit.MILLISECONDS)) {
            messaging.push(queue, new byte[bytes]).whenComplete((none, error) -> {
              if (error != null) {
                failures.add(error);
              }
              free.release();
            });
          }
        } while (!refused.isDone());
        assertThat(catchThrowable(refused::join))
            .hasCauseInstanceOf(PermissionDeniedException.class);
      }
      assertThat(free.tryAcquire(open, 30, TimeUnit.SECONDS)).isTrue();
    }
    assertThat(failures).isEmpty();
  }
}
