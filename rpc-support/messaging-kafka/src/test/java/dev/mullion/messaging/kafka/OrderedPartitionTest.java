package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Settlement;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.Test;

/** What a worker hands out of one partition, and what it commits. */
class OrderedPartitionTest {
  private static final TopicPartition PLACE = new TopicPartition("queue", 0);

  private static final OrderedDelivery.Owner NOBODY = new OrderedDelivery.Owner() {
    @Override
    public String address(ConsumerRecord<byte[], byte[]> record) {
      return record.topic();
    }

    @Override
    public void settle(OrderedDelivery delivery, Outcome outcome) {
      throw new AssertionError("settled: " + delivery.offset());
    }

    @Override
    public void over() {}
  };

  private static OrderedPartition from(long end, Map<Long, Tries> open) {
    return new OrderedPartition(PLACE, new Progress(end, new TreeMap<>(open)));
  }

  private static List<OrderedDelivery> add(OrderedPartition to, long offset, String key) {
    byte[] bytes = key.isEmpty() ? null : key.getBytes(StandardCharsets.UTF_8);
    return to.add(
        new ConsumerRecord<>(PLACE.topic(), PLACE.partition(), offset, bytes, new byte[0]));
  }

  private static Progress progress(OrderedPartition of) {
    return Progress.decode(of.progress());
  }

  private static OrderedDelivery handOut(OrderedPartition from, long offset) {
    assertThat(from.next(0)).isEqualTo(offset);
    return from.handOut(offset, NOBODY);
  }

  @Test
  void oneOfAKeyAtATime() {
    OrderedPartition partition = from(0, Map.of());
    add(partition, 0, "a");
    add(partition, 1, "a");
    add(partition, 2, "b");
    add(partition, 3, "");
    add(partition, 4, "");
    OrderedDelivery first = handOut(partition, 0);
    OrderedDelivery ofOther = handOut(partition, 2);
    handOut(partition, 3);
    handOut(partition, 4);
    assertThat(partition.next(0)).isEqualTo(-1);
    assertThat(partition.settle(ofOther, null)).isTrue();
    assertThat(progress(partition).open().keySet()).containsExactly(0L, 1L, 3L, 4L);
    assertThat(partition.settle(first, null)).isTrue();
    assertThat(partition.settle(first, null)).isFalse();
    handOut(partition, 1);
    assertThat(partition.out()).isEqualTo(3);
    assertThat(progress(partition).offset()).isEqualTo(1);
    assertThat(progress(partition).end()).isEqualTo(5);
  }

  @Test
  void delayHoldsItsKey() {
    OrderedPartition partition = from(0, Map.of());
    add(partition, 0, "a");
    add(partition, 1, "a");
    add(partition, 2, "b");
    partition.settle(handOut(partition, 0), Tries.NONE.failed(1000));
    assertThat(partition.next(999)).isEqualTo(2);
    partition.handOut(2, NOBODY);
    assertThat(partition.next(999)).isEqualTo(-1);
    assertThat(partition.due()).isEqualTo(1000);
    assertThat(partition.next(1000)).isEqualTo(0);
    assertThat(progress(partition).open().get(0L)).isEqualTo(new Tries(1, 0, false, 1000));
  }

  @Test
  void takeoverCountsWhatWasHandedOut() {
    OrderedPartition partition = from(
        14,
        Map.of(10L, new Tries(1, 0, true, 0), 12L, new Tries(1, 0, false, 50), 13L, Tries.NONE));
    for (long offset = 10; offset < 16; offset++) {
      add(partition, offset, "key" + offset);
    }
    assertThat(partition.next(60)).isEqualTo(10);
    assertThat(partition.isSuspect(10)).isTrue();
    assertThat(partition.isSuspect(12)).isFalse();
    OrderedDelivery suspect = partition.handOut(10, NOBODY);
    assertThat(suspect.failures()).isEqualTo(1);
    assertThat(suspect.losses()).isEqualTo(1);
    partition.settle(suspect, null);
    for (long offset : new long[] {12, 13, 14, 15}) {
      assertThat(partition.next(60)).isEqualTo(offset);
      partition.settle(partition.handOut(offset, NOBODY), null);
    }
    assertThat(progress(partition)).isEqualTo(new Progress(16, new TreeMap<>()));
  }

  @Test
  void whatWasDeletedIsNotWaitedFor() {
    OrderedPartition partition = from(14, Map.of(10L, Tries.NONE, 12L, Tries.NONE));
    add(partition, 12, "a");
    assertThat(progress(partition).open().keySet()).containsExactly(12L);
  }

  @Test
  void openMessagesAreBounded() {
    OrderedPartition partition = from(0, Map.of());
    for (long offset = 0; offset < Progress.MOST_OPEN + 10; offset++) {
      add(partition, offset, offset == Progress.MOST_OPEN + 1 ? "b" : "a");
    }
    assertThat(partition.isFull()).isTrue();
    OrderedDelivery first = handOut(partition, 0);
    assertThat(partition.next(0)).isEqualTo(-1);
    partition.settle(first, null);
    OrderedDelivery second = handOut(partition, 1);
    partition.settle(second, null);
    handOut(partition, 2);
    assertThat(partition.next(0)).isEqualTo(Progress.MOST_OPEN + 1);
  }

  // New messages got the offsets of old ones, and were taken for settled.
  @Test
  void logThatLostItsEndGoesBack() {
    OrderedPartition partition = from(10, Map.of(8L, Tries.NONE));
    add(partition, 8, "a");
    add(partition, 10, "b");
    add(partition, 11, "c");
    OrderedDelivery kept = handOut(partition, 8);
    OrderedDelivery gone = handOut(partition, 10);
    partition.settle(handOut(partition, 11), null);
    partition.committed();
    assertThat(gone.begins()).isTrue();
    assertThat(add(partition, 9, "d")).containsExactly(gone); // whose call may still run
    assertThat(gone.isCalled()).isTrue();
    assertThat(partition.out()).isEqualTo(1);
    assertThat(partition.isChanged()).isTrue();
    assertThat(progress(partition).end()).isEqualTo(9);
    assertThat(progress(partition).open().keySet()).containsExactly(8L);
    assertThat(gone.settle(new Outcome.Acknowledge())).isCompletedWithValue(Settlement.LEASE_LOST);
    assertThat(partition.settle(gone, null)).isFalse();
    add(partition, 10, "e");
    handOut(partition, 9);
    handOut(partition, 10);
    assertThat(partition.settle(kept, null)).isTrue();
    assertThat(partition.out()).isEqualTo(2);
  }

  @Test
  void logThatLostItsEndBeforeTheTakeoverGoesBack() {
    OrderedPartition partition = from(10, Map.of());
    add(partition, 5, "a");
    handOut(partition, 5);
    assertThat(progress(partition).end()).isEqualTo(6);
  }

  @Test
  void lostDeliveryIsCalledUntilItsHandlerEnds() {
    OrderedPartition partition = from(0, Map.of());
    add(partition, 0, "a");
    add(partition, 1, "b");
    OrderedDelivery called = handOut(partition, 0);
    OrderedDelivery waiting = handOut(partition, 1);
    assertThat(called.begins()).isTrue();
    assertThat(partition.lose()).containsExactly(called, waiting);
    assertThat(waiting.begins()).isFalse();
    assertThat(waiting.isCalled()).isFalse();
    assertThat(called.isCalled()).isTrue();
    assertThat(called.settle(new Outcome.Acknowledge()))
        .isCompletedWithValue(Settlement.LEASE_LOST);
    assertThat(called.isCalled()).isFalse();
  }
}
