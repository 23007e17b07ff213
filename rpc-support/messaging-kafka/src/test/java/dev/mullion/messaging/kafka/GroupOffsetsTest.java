package dev.mullion.messaging.kafka;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.MockConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.Test;

/** Calls about offsets of topics that may be deleted meanwhile: these waited for their timeout. */
class GroupOffsetsTest {
  private static final TopicPartition PLACE = new TopicPartition("queue", 0);
  private static final Uuid ID = new Uuid(5, 7);
  private static final Map<TopicPartition, OffsetAndMetadata> OFFSETS =
      Map.of(PLACE, new OffsetAndMetadata(3));

  /** A consumer that gets no answer, so many times; something happens during each such call. */
  private static final class Unanswered extends MockConsumer<byte[], byte[]> {
    final List<Duration> timeouts = new ArrayList<>();
    private final int times;
    private final Runnable meanwhile;

    Unanswered(int times, Runnable meanwhile) {
      super("earliest");
      this.times = times;
      this.meanwhile = meanwhile;
      assign(List.of(PLACE));
    }

    private void call(Duration timeout) {
      timeouts.add(timeout);
      if (timeouts.size() <= times) {
        meanwhile.run();
        throw new TimeoutException("no answer");
      }
    }

    @Override
    public synchronized void commitSync(
        Map<TopicPartition, OffsetAndMetadata> offsets, Duration timeout) {
      call(timeout);
      commitSync(offsets);
    }

    @Override
    public synchronized Map<TopicPartition, OffsetAndMetadata> committed(
        Set<TopicPartition> partitions, Duration timeout) {
      call(timeout);
      return committed(partitions);
    }
  }

  /** One of the calls. */
  private interface Call {
    Object on(Unanswered consumer, GroupOffsets offsets);
  }

  private static Object commit(Unanswered consumer, GroupOffsets offsets) {
    offsets.commit(consumer, OFFSETS, Map.of("queue", ID));
    return OFFSETS;
  }

  private static Object committed(Unanswered consumer, GroupOffsets offsets) {
    return offsets.committed(consumer, Set.of(PLACE));
  }

  private static void assertEnds(Consumer<KnownTopics> meanwhile) {
    List<Call> calls = List.of(GroupOffsetsTest::commit, GroupOffsetsTest::committed);
    for (Call each : calls) {
      KnownTopics known = new KnownTopics();
      known.exists("queue", ID, System.nanoTime());
      try (Unanswered consumer = new Unanswered(2, () -> meanwhile.accept(known))) {
        GroupOffsets offsets = new GroupOffsets(known, Duration.ofDays(1));
        assertThatThrownBy(() -> each.on(consumer, offsets)).isInstanceOf(TimeoutException.class);
        assertThat(consumer.timeouts).hasSize(1);
      }
    }
  }

  @Test
  void endsOnceTheTopicIsMissing() {
    assertEnds(known -> known.missing("queue", System.nanoTime()));
  }

  @Test
  void endsOnceTheTopicHasAnotherId() {
    assertEnds(known -> known.exists("queue", Uuid.randomUuid(), System.nanoTime()));
  }

  @Test
  void endsIfTheTopicWasMissingMeanwhile() {
    assertEnds(known -> {
      known.missing("queue", System.nanoTime());
      known.made("queue");
    });
  }

  @Test
  void slowBrokerGetsMoreTimeWithEachAttempt() {
    try (Unanswered consumer = new Unanswered(3, () -> {})) {
      commit(consumer, new GroupOffsets(new KnownTopics(), Duration.ofDays(1)));
      assertThat(consumer.committed(Set.of(PLACE))).isEqualTo(OFFSETS);
      assertThat(consumer.timeouts).extracting(Duration::toSeconds).containsExactly(1L, 2L, 4L, 8L);
    }
  }

  @Test
  void endsWithTheTimeout() {
    try (Unanswered consumer = new Unanswered(3, () -> {})) {
      Duration timeout = Duration.ofMillis(500);
      GroupOffsets offsets = new GroupOffsets(new KnownTopics(), timeout);
      assertThatThrownBy(() -> committed(consumer, offsets)).isInstanceOf(TimeoutException.class);
      assertThat(consumer.timeouts).hasSize(1);
      assertThat(consumer.timeouts.get(0)).isLessThanOrEqualTo(timeout);
    }
  }
}
