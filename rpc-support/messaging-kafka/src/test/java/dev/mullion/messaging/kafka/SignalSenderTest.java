package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.testing.UnheardEvents;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Signals that cannot be sent any more are counted. */
class SignalSenderTest {
  private static final int SIGNALS = 10;

  private final Dropped events = new Dropped();

  // Those that waited were neither sent nor counted.
  @Test
  void closeDropsWhatWaits() throws Exception {
    EngineContext context = new EngineContext(events, Runnable::run, 10, Duration.ofSeconds(10));
    Route.Signal signal = new Route.Signal("not a name of Kafka");
    Message<byte[]> message = Message.of(Codecs.utf8().encode("message"));
    KafkaLink link = (KafkaLink) KafkaEngine.on(KafkaUnderTest.node().servers()).open(context);
    try {
      SignalSender sender = new SignalSender(link, context);
      for (int i = 0; i < SIGNALS; i++) {
        assertThat(sender.offer(signal, message)).isTrue();
      }
      assertThat(events.first.await(20, TimeUnit.SECONDS)).isTrue();
      sender.close(Duration.ofMillis(10));
      assertThat(events.all.await(20, TimeUnit.SECONDS)).isTrue();
      assertThat(sender.offer(signal, message)).isFalse();
    } finally {
      link.close(Duration.ofSeconds(5));
    }
  }

  /** Holds up the thread of signals with the first one, until it is interrupted. */
  private static final class Dropped extends UnheardEvents {
    private final CountDownLatch first = new CountDownLatch(1);
    private final CountDownLatch all = new CountDownLatch(SIGNALS);

    @Override
    public void dropped(Route.Signal signal, long messages) {
      all.countDown();
      if (first.getCount() > 0) {
        first.countDown();
        try {
          new CountDownLatch(1).await(30, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      }
    }
  }
}
