package dev.mullion.messaging.kafka;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.TimeoutException;

/**
 * Commits the offsets of a consumer group, and reads them. The client names a topic by the id that
 * it learned before, and learns no other one during such a call (Kafka 4.4.0). If the topic was
 * deleted meanwhile, the client repeats the request in vain until its timeout. So each call here is
 * a sequence of short ones, which ends once the topic is known to be missing or to have another id.
 */
final class GroupOffsets {
  private static final Duration FIRST_ATTEMPT = Duration.ofSeconds(1); // others: twice the last

  private final KnownTopics known;
  private final Duration timeout;

  /**
   * Creates it.
   *
   * @param timeout of a call, if the topics stay
   */
  GroupOffsets(KnownTopics known, Duration timeout) {
    this.known = known;
    this.timeout = timeout;
  }

  /**
   * Commits.
   *
   * @param ids of the topics, as far as they are known
   * @throws TimeoutException if there was no answer in time, or a topic is gone
   */
  void commit(
      Consumer<byte[], byte[]> member,
      Map<TopicPartition, OffsetAndMetadata> offsets,
      Map<String, Uuid> ids) {
    attempt(Topology.topicsOf(offsets.keySet()), ids, limit -> {
      member.commitSync(offsets, limit);
      return offsets;
    });
  }

  /**
   * Returns what was committed.
   *
   * @throws TimeoutException if there was no answer in time, or a topic was deleted meanwhile
   */
  Map<TopicPartition, OffsetAndMetadata> committed(
      Consumer<byte[], byte[]> member, Set<TopicPartition> partitions) {
    Set<String> topics = Topology.topicsOf(partitions);
    Map<String, Uuid> ids = new HashMap<>();
    for (String each : topics) {
      Uuid id = known.id(each);
      if (id != null) {
        ids.put(each, id);
      }
    }
    return attempt(topics, ids, limit -> member.committed(partitions, limit));
  }

  private <T> T attempt(Set<String> topics, Map<String, Uuid> ids, Function<Duration, T> call) {
    long begun = System.nanoTime();
    long end = begun + timeout.toNanos();
    for (Duration limit = FIRST_ATTEMPT; ; limit = limit.multipliedBy(2)) {
      Duration left = Duration.ofNanos(Math.max(0, end - System.nanoTime()));
      boolean last = left.compareTo(limit) <= 0;
      try {
        Duration time = last ? left : limit;
        return Takeover.again(() -> call.apply(time));
      } catch (TimeoutException e) {
        if (last || isGone(topics, ids, begun)) {
          throw e;
        }
      }
    }
  }

  private boolean isGone(Set<String> topics, Map<String, Uuid> ids, long since) {
    return topics.stream()
        .anyMatch(each -> known.wasMissing(each, since) || known.isAnother(each, ids.get(each)));
  }
}
