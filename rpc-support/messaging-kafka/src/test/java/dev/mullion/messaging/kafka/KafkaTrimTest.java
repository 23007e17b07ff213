package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.Test;

/** What is settled is deleted, and nothing else. */
class KafkaTrimTest {
  private final LinkedBlockingQueue<RawDelivery> delivered = new LinkedBlockingQueue<>();

  @Test
  void deletesWhatIsSettledOnly() throws Exception {
    Route.Queue queue = queue(false);
    try (KafkaLink link = open()) {
      link.prepare(queue, Declaration.CHECK);
      for (int i = 0; i < 3; i++) {
        link.send(queue, Message.of(Codecs.utf8().encode("job" + i)))
            .toCompletableFuture()
            .get(10, TimeUnit.SECONDS);
      }
      Source source = link.consume(
          queue, new ConsumerSettings(2, 2, 0, Overflow.BLOCK), TestParts.keeping(delivered));
      source.request(2);
      for (int i = 0; i < 2; i++) {
        RawDelivery next = delivered.poll(20, TimeUnit.SECONDS);
        assertThat(next).isNotNull();
        next.settle(new Outcome.Acknowledge()).toCompletableFuture().get(10, TimeUnit.SECONDS);
      }
      TopicPartition partition = partition(queue);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      long begin = 0;
      while (begin == 0 && System.nanoTime() - end < 0) { // the broker notes it a moment later
        new Trimmer(link).trim(queue);
        begin = begin(link, partition);
      }
      assertThat(begin).isBetween(1L, 2L);
      assertThat(unsettled(link, queue)).isEqualTo(1);
    }
  }

  // What a worker of the former topic had committed deleted messages that nobody had seen.
  @Test
  void offsetsOfAFormerTopicDeleteNothing() throws Exception {
    Route.Queue queue = queue(true);
    TopicPartition partition = partition(queue);
    try (KafkaLink link = open()) {
      link.prepare(queue, Declaration.CHECK);
      byte[] job = Codecs.utf8().encode("job");
      for (int i = 0; i < 3; i++) {
        link.sender().sendNow(new ProducerRecord<>(partition.topic(), 0, null, job), "the test");
      }
      commit(link, queue, Uuid.randomUuid());
      new Trimmer(link).trim(queue);
      assertThat(begin(link, partition)).isZero();
      assertThat(unsettled(link, queue)).isEqualTo(3);
      commit(link, queue, link.topology().one(partition.topic(), "the test").topicId());
      new Trimmer(link).trim(queue);
      assertThat(begin(link, partition)).isEqualTo(2);
      assertThat(unsettled(link, queue)).isEqualTo(1);
    }
  }

  private static void commit(KafkaLink link, Route.Queue queue, Uuid topic) throws Exception {
    OffsetAndMetadata second = TopicId.with(new OffsetAndMetadata(2), topic);
    link.admin()
        .alterConsumerGroupOffsets(link.names().ordered(queue), Map.of(partition(queue), second))
        .all()
        .get(10, TimeUnit.SECONDS);
  }

  private static KafkaLink open() throws Exception {
    return (KafkaLink) KafkaEngine.on(KafkaUnderTest.node().servers()).open(TestParts.context());
  }

  private static Route.Queue queue(boolean ordered) {
    return TestParts.queue("trim-" + UUID.randomUUID(), 3, ordered);
  }

  private static TopicPartition partition(Route.Queue queue) {
    return new TopicPartition("queue." + queue.name(), 0);
  }

  private static long begin(KafkaLink link, TopicPartition partition) throws Exception {
    return link.admin()
        .listOffsets(Map.of(partition, OffsetSpec.earliest()))
        .partitionResult(partition)
        .get(10, TimeUnit.SECONDS)
        .offset();
  }

  private static long unsettled(KafkaLink link, Route.Queue queue) throws Exception {
    return link.queues().toCompletableFuture().get(10, TimeUnit.SECONDS).stream()
        .filter(status -> status.name().equals(queue.name()))
        .mapToLong(status -> status.waiting() + status.inFlight())
        .sum();
  }
}
