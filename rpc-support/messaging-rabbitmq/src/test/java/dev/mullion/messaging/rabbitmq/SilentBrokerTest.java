package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.MessagingListener;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.testing.Relay;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** A connection on which nothing is confirmed is made again before its sends fail. */
@Timeout(120)
@ExtendWith(WithBroker.class)
class SilentBrokerTest {
  private final WorkQueue<String> queue =
      WorkQueue.of("silent-" + System.nanoTime(), Codecs.utf8());
  private final CompletableFuture<Throwable> lost = new CompletableFuture<>();
  private final MessagingListener listener = new MessagingListener() {
    @Override
    public void connectionLost(String where, Throwable cause) {
      lost.complete(cause);
    }
  };

  @Test
  void pushIsRepeatedOnAnotherConnection() throws Exception {
    try (Relay relay = new Relay();
        Messaging messaging = Messaging.builder(engine(relay))
            .sendTimeout(Duration.ofSeconds(60))
            .listener(listener)
            .start()) {
      messaging.declare(queue);
      messaging.push(queue, "before").get(30, TimeUnit.SECONDS);
      relay.hold(true);
      CompletableFuture<Void> pushed = messaging.push(queue, "meanwhile");

      assertThat(lost.get(30, TimeUnit.SECONDS))
          .hasStackTraceContaining("nothing was confirmed for 4000 ms (see confirmTimeout)");
      assertThat(pushed).isNotDone();
      relay.cut();
      relay.hold(false);
      pushed.get(60, TimeUnit.SECONDS);
    }
  }

  private static RabbitMqEngine engine(Relay relay) throws Exception {
    relay.to(Broker.shared().port());
    return RabbitMqEngine.builder()
        .addresses("127.0.0.1:" + relay.port())
        .prefix("silent")
        .connectTimeout(Duration.ofSeconds(2))
        .maxBackoff(Duration.ofMillis(200))
        .awayTimeout(Duration.ofSeconds(60))
        .confirmTimeout(Duration.ofSeconds(12))
        .build();
  }
}
