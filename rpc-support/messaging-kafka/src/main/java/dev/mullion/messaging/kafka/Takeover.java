package dev.mullion.messaging.kafka;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;

/** Reads where the partitions begin that a worker of an ordered queue was assigned. */
final class Takeover {
  private final Consumer<byte[], byte[]> member;
  private final GroupOffsets offsets;
  private final Duration timeout;
  private final @Nullable Uuid topic;

  /**
   * Creates it.
   *
   * @param topic the id of the topic; null if it is not known
   */
  Takeover(
      Consumer<byte[], byte[]> member,
      GroupOffsets offsets,
      Duration timeout,
      @Nullable Uuid topic) {
    this.member = member;
    this.offsets = offsets;
    this.timeout = timeout;
    this.topic = topic;
  }

  List<OrderedPartition> read(Collection<TopicPartition> assigned) {
    Map<TopicPartition, OffsetAndMetadata> committed =
        offsets.committed(member, Set.copyOf(assigned));
    Map<TopicPartition, Long> ends = ends(assigned);
    List<OrderedPartition> read = new ArrayList<>();
    for (TopicPartition each : assigned) {
      Progress progress = Progress.decode(committed.get(each));
      OrderedPartition partition = new OrderedPartition(each, progress);
      if (ends.getOrDefault(each, Long.MAX_VALUE) < progress.end()
          || TopicId.isOfAnother(committed.get(each), topic)) {
        restart(partition);
      }
      read.add(partition);
    }
    return read;
  }

  private Map<TopicPartition, Long> ends(Collection<TopicPartition> assigned) {
    try {
      return again(() -> member.endOffsets(assigned, timeout));
    } catch (TimeoutException e) { // a partition has no leader, and the others can be served
      Logs.warn("log", "whether a log has lost its end is not known: " + e, null);
      return Map.of();
    }
  }

  /**
   * Takes all that the log has: nobody knows which of it came after the log lost its end, and what
   * was deleted and made again has nothing old.
   */
  private void restart(OrderedPartition partition) {
    TopicPartition place = partition.place();
    Map<TopicPartition, Long> begins = again(() -> member.beginningOffsets(Set.of(place), timeout));
    long begin = begins.getOrDefault(place, 0L);
    member.seek(place, begin);
    partition.goBack(begin);
  }

  /** Calls a consumer, and once more if that was ended by a wakeup meant for the poll before. */
  static <T> T again(Supplier<T> call) {
    try {
      return call.get();
    } catch (WakeupException e) {
      return call.get();
    }
  }
}
