package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.junit.jupiter.api.Test;

/** Where a worker of an ordered queue begins with the partitions it gets. */
class TakeoverTest {
  private static final TopicPartition PLACE = new TopicPartition("queue", 0);
  private static final TopicPartition OTHER = new TopicPartition("queue", 1);
  private static final Uuid TOPIC = new Uuid(5, 7);
  private static final Progress COMMITTED =
      new Progress(19, new TreeMap<>(Map.of(10L, Tries.NONE, 15L, Tries.NONE.failed(0))));

  /** A consumer whose questions for what is committed a wakeup ends, that many times. */
  private static final class Woken extends MockConsumer<byte[], byte[]> {
    private final AtomicInteger wakeups;
    private boolean leaderAway;
    private Uuid topic = TOPIC;

    Woken(int wakeups, long logEnd) {
      super("earliest");
      this.wakeups = new AtomicInteger(wakeups);
      assign(List.of(PLACE, OTHER));
      updateBeginningOffsets(Map.of(PLACE, 7L, OTHER, 0L));
      updateEndOffsets(Map.of(PLACE, logEnd, OTHER, 0L));
      commitSync(Map.of(PLACE, TopicId.with(COMMITTED.encode(), TOPIC)));
    }

    @Override
    public synchronized Map<TopicPartition, OffsetAndMetadata> committed(
        Set<TopicPartition> partitions, Duration timeout) {
      if (wakeups.getAndDecrement() > 0) {
        throw new WakeupException();
      }
      return committed(partitions);
    }

    @Override
    public Map<TopicPartition, Long> endOffsets(
        Collection<TopicPartition> partitions, Duration timeout) {
      if (leaderAway) {
        throw new TimeoutException();
      }
      return endOffsets(partitions);
    }

    List<OrderedPartition> taken() {
      Duration timeout = Duration.ofSeconds(1);
      GroupOffsets offsets = new GroupOffsets(new KnownTopics(), timeout);
      return new Takeover(this, offsets, timeout, topic).read(List.of(PLACE, OTHER));
    }
  }

  private static Progress progress(OrderedPartition of) {
    return Progress.decode(of.progress());
  }

  @Test
  void continuesWithWhatIsCommitted() {
    try (Woken consumer = new Woken(0, 19)) {
      List<OrderedPartition> taken = consumer.taken();
      assertThat(taken).extracting(OrderedPartition::place).containsExactly(PLACE, OTHER);
      assertThat(progress(taken.get(0))).isEqualTo(COMMITTED);
      assertThat(progress(taken.get(1))).isEqualTo(new Progress(0, new TreeMap<>()));
      assertThat(taken).noneMatch(OrderedPartition::isChanged);
    }
  }

  // The worker owned the partition, and served it no more.
  @Test
  void wakeupMeantForThePollDoesNotMatter() {
    try (Woken consumer = new Woken(1, 19)) {
      assertThat(progress(consumer.taken().get(0))).isEqualTo(COMMITTED);
    }
  }

  @Test
  void partitionWithoutLeaderHoldsUpNoOther() {
    try (Woken consumer = new Woken(0, 18)) {
      consumer.leaderAway = true;
      assertThat(progress(consumer.taken().get(0))).isEqualTo(COMMITTED);
    }
  }

  // New messages got the offsets of old ones, and were taken for settled.
  @Test
  void logThatLostItsEndIsReadFromItsBegin() {
    try (Woken consumer = new Woken(0, 18)) {
      OrderedPartition partition = consumer.taken().get(0);
      assertThat(consumer.position(PLACE)).isEqualTo(7);
      assertThat(partition.isChanged()).isTrue();
      assertThat(progress(partition)).isEqualTo(new Progress(7, new TreeMap<>()));
    }
  }

  // It had as many records as the former one, and these were skipped.
  @Test
  void topicThatWasMadeAgainIsReadFromItsBegin() {
    try (Woken consumer = new Woken(0, 30)) {
      consumer.topic = new Uuid(5, 8);
      OrderedPartition partition = consumer.taken().get(0);
      assertThat(consumer.position(PLACE)).isEqualTo(7);
      assertThat(progress(partition)).isEqualTo(new Progress(7, new TreeMap<>()));
    }
  }
}
