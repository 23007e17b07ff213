package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Delivery;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.testing.UnheardEvents;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ForkJoinPool;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What several tests are made of. */
final class TestParts {
  private TestParts() {}

  /** Returns what a link is opened with. */
  static EngineContext context() {
    return new EngineContext(
        new UnheardEvents(), ForkJoinPool.commonPool(), 10, Duration.ofSeconds(10));
  }

  /** Returns a queue whose jobs are delivered at most this many times. */
  static Route.Queue queue(String name, int deliveries, boolean ordered) {
    return new Route.Queue(
        name,
        Optional.empty(),
        Redelivery.immediate(deliveries),
        Duration.ofSeconds(30),
        ordered,
        0,
        0,
        Overflow.BLOCK,
        10,
        Duration.ofDays(1));
  }

  /** Returns a subscriber that keeps what is delivered, and settles nothing. */
  static Sink keeping(Collection<RawDelivery> delivered) {
    return new Sink() {
      @Override
      public void deliver(RawDelivery delivery) {
        delivered.add(delivery);
      }

      @Override
      public void dropped(long messages) {}

      @Override
      public void failed(MessagingException cause) {}
    };
  }

  /** Fails with the first delivery of a job, and keeps the next one. */
  static void failFirst(Delivery<String> job, Collection<String> received) {
    if (job.deliveryCount() == 1) {
      throw new IllegalStateException("first call");
    }
    received.add(job.payload());
  }

  /** Returns a plain client of the shared node that knows no topic yet. */
  static Producer<String, String> producer() throws Exception {
    return new KafkaProducer<>(
        Map.of("bootstrap.servers", KafkaUnderTest.node().servers()),
        new StringSerializer(),
        new StringSerializer());
  }
}
