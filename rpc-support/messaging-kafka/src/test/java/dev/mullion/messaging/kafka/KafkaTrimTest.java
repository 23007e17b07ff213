package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import dev.mullion.messaging.testing.UnheardEvents;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/** What is settled is deleted, and nothing else. */
class KafkaTrimTest {
  private final LinkedBlockingQueue<RawDelivery> delivered = new LinkedBlockingQueue<>();

  @Test
  void deletesWhatIsSettledOnly() throws Exception {
    Route.Queue queue = new Route.Queue(
        "trim-" + UUID.randomUUID(),
        Optional.empty(),
        Redelivery.immediate(3),
        Duration.ofSeconds(30),
        false,
        0,
        0,
        Overflow.BLOCK,
        10,
        Duration.ofDays(1));
    EngineContext context = new EngineContext(
        new UnheardEvents(), ForkJoinPool.commonPool(), 10, Duration.ofSeconds(10));
    try (KafkaLink link =
        (KafkaLink) KafkaEngine.on(KafkaUnderTest.node().servers()).open(context)) {
      link.prepare(queue, Declaration.CHECK);
      for (int i = 0; i < 3; i++) {
        link.send(queue, Message.of(Codecs.utf8().encode("job" + i)))
            .toCompletableFuture()
            .get(10, TimeUnit.SECONDS);
      }
      Source source = link.consume(queue, new ConsumerSettings(2, 2, 0, Overflow.BLOCK), sink());
      source.request(2);
      for (int i = 0; i < 2; i++) {
        RawDelivery next = delivered.poll(20, TimeUnit.SECONDS);
        assertThat(next).isNotNull();
        next.settle(new Outcome.Acknowledge()).toCompletableFuture().get(10, TimeUnit.SECONDS);
      }
      TopicPartition partition = new TopicPartition("queue." + queue.name(), 0);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      long begin = 0;
      while (begin == 0 && System.nanoTime() - end < 0) { // the broker notes it a moment later
        new Trimmer(link).trim(queue);
        begin = link.admin()
            .listOffsets(Map.of(partition, OffsetSpec.earliest()))
            .partitionResult(partition)
            .get(10, TimeUnit.SECONDS)
            .offset();
      }
      assertThat(begin).isBetween(1L, 2L);
      assertThat(link.queues().toCompletableFuture().get(10, TimeUnit.SECONDS))
          .filteredOn(status -> status.name().equals(queue.name()))
          .extracting(status -> status.waiting() + status.inFlight())
          .isEqualTo(List.of(1L));
    }
  }

  private Sink sink() {
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
}
