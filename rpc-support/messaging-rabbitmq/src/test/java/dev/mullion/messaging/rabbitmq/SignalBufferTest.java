package dev.mullion.messaging.rabbitmq;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Signal;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(WithBroker.class)
class SignalBufferTest {
  private static final Signal<String> SIGNAL = Signal.of("buffer", Codecs.utf8());
  private static final int SIGNALS = 10_000;

  @Test
  void signalsWithoutRoomAreDropped() throws Exception {
    RabbitMqEngine engine = RabbitMqEngine.builder()
        .addresses(Broker.shared().address())
        .prefix("signals")
        .connectTimeout(Duration.ofSeconds(20))
        .signalBuffer(1)
        .build();
    CountDownLatch received = new CountDownLatch(1);
    try (Messaging messaging = Messaging.on(engine)) {
      messaging
          .receive(SIGNAL, delivery -> received.countDown())
          .ready()
          .toCompletableFuture()
          .get(20, TimeUnit.SECONDS);
      int accepted = 0;
      for (int i = 0; i < SIGNALS; i++) {
        accepted += messaging.send(SIGNAL, "" + i) ? 1 : 0;
      }
      assertThat(accepted).isBetween(1, SIGNALS - 1);
      assertThat(received.await(20, TimeUnit.SECONDS)).isTrue();
    }
  }
}
