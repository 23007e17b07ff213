package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.ListOffsetsResult;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;

/**
 * The state of all queues at one moment, asked in few rounds. Numbers of what the broker does not
 * know, as yet or no longer, are 0.
 */
final class QueueStates {
  private final KafkaLink link;
  private final Names names;
  private final List<Route.Queue> queues;
  private final Map<String, TopicDescription> topics;
  private final Map<TopicPartition, Long> ends;
  private final Map<String, Long> lags;
  private final Map<String, Map<TopicPartition, OffsetAndMetadata>> committed;
  private final Map<TopicPartition, Long> topicEnds;
  private final Map<String, Integer> members;
  private final Map<String, Long> letters;

  QueueStates(KafkaLink link, List<Route.Queue> queues) throws MessagingException {
    this.link = link;
    this.names = link.names();
    this.queues = queues;
    this.topics = askTopics();
    this.ends = askEnds();
    this.lags = askLags();
    this.committed = askCommitted();
    this.topicEnds = askTopicEnds();
    this.members = askMembers();
    this.letters = askLetters();
  }

  List<QueueStatus> all() {
    List<QueueStatus> all = new ArrayList<>();
    queues.forEach(queue -> all.add(status(queue)));
    return all;
  }

  /** Returns an answer; null if it is about what the broker does not know, as yet or no longer. */
  private <T> @Nullable T answer(KafkaFuture<T> answer) throws MessagingException {
    try {
      return link.topology().await(answer, "the state of queues");
    } catch (MissingAddressException unknown) {
      return null;
    }
  }

  private long end(String topic) {
    return ends.getOrDefault(new TopicPartition(topic, 0), 0L);
  }

  /** Asks which topics exist: a question about the end of another would take its whole time. */
  private Map<String, TopicDescription> askTopics() throws MessagingException {
    Set<String> asked = new HashSet<>();
    queues.forEach(queue -> asked.addAll(names.needed(queue)));
    return asked.isEmpty() ? Map.of() : link.topology().existing(asked, "the state of queues");
  }

  private Map<TopicPartition, Long> askEnds() throws MessagingException {
    Set<TopicPartition> asked = new HashSet<>();
    for (Route.Queue queue : queues) {
      for (String topic : names.all(queue)) {
        TopicDescription found = topics.get(topic);
        if (found != null) {
          asked.addAll(Topology.partitions(found));
        }
      }
    }
    return askEnds(asked);
  }

  /** Returns how far each partition of an ordered queue is, with its end. */
  private Map<TopicPartition, Progress> progress(Route.Queue queue) {
    Map<TopicPartition, OffsetAndMetadata> known =
        committed.getOrDefault(names.ordered(queue), Map.of());
    Map<TopicPartition, Progress> all = new HashMap<>();
    for (TopicPartition each : ends.keySet()) {
      if (queue.ordered() && each.topic().equals(names.queue(queue))) {
        all.put(each, Progress.decode(known.get(each)));
      }
    }
    return all;
  }

  /** Asks for the ends of the topics that feed groups. */
  private Map<TopicPartition, Long> askTopicEnds() throws MessagingException {
    Set<TopicPartition> asked = new HashSet<>();
    for (Route.Queue queue : queues) {
      if (queue.source().isPresent()) {
        asked.addAll(committed.getOrDefault(names.feeders(queue), Map.of()).keySet());
        asked.removeIf(each -> !topics.containsKey(each.topic()));
      }
    }
    return askEnds(asked);
  }

  /** Returns how many messages of its topic a group has not seen, those of other names too. */
  private long unfed(Route.Queue queue) {
    long unfed = 0;
    if (queue.source().isPresent()) {
      for (Map.Entry<TopicPartition, OffsetAndMetadata> each :
          committed.getOrDefault(names.feeders(queue), Map.of()).entrySet()) {
        long fed = each.getValue() == null ? 0 : each.getValue().offset();
        unfed += Math.max(0, topicEnds.getOrDefault(each.getKey(), fed) - fed);
      }
    }
    return unfed;
  }

  private Map<TopicPartition, Long> askEnds(Set<TopicPartition> partitions)
      throws MessagingException {
    if (partitions.isEmpty()) {
      return Map.of();
    }
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    partitions.forEach(each -> asked.put(each, OffsetSpec.latest()));
    ListOffsetsResult answers = link.admin().listOffsets(asked);
    Map<TopicPartition, Long> all = new HashMap<>();
    for (TopicPartition each : asked.keySet()) {
      ListOffsetsResult.ListOffsetsResultInfo info = answer(answers.partitionResult(each));
      if (info != null) {
        all.put(each, info.offset());
      }
    }
    return all;
  }

  private Map<String, Long> askLags() throws MessagingException {
    Map<String, KafkaFuture<@Nullable SharePartitionOffsetInfo>> asked = new HashMap<>();
    for (Route.Queue queue : queues) {
      for (String group : names.shareGroups(queue)) {
        if (end(group) > 0) {
          asked.put(group, ShareGroups.place(link.admin(), group));
        }
      }
    }
    Map<String, Long> all = new HashMap<>();
    for (Map.Entry<String, KafkaFuture<@Nullable SharePartitionOffsetInfo>> each :
        asked.entrySet()) {
      all.put(each.getKey(), ShareGroups.lag(answer(each.getValue()), end(each.getKey())));
    }
    return all;
  }

  private Map<String, Map<TopicPartition, OffsetAndMetadata>> askCommitted()
      throws MessagingException {
    Set<String> groups = new TreeSet<>();
    for (Route.Queue queue : queues) {
      if (queue.source().isPresent()) {
        groups.add(names.feeders(queue));
      }
      if (queue.ordered() || names.retries(queue).stream().anyMatch(topic -> end(topic) > 0)) {
        groups.addAll(names.settlers(queue));
      }
    }
    Map<String, KafkaFuture<Map<TopicPartition, OffsetAndMetadata>>> asked = new HashMap<>();
    groups.forEach(group -> asked.put(
        group, link.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()));
    Map<String, Map<TopicPartition, OffsetAndMetadata>> all = new HashMap<>();
    for (Map.Entry<String, KafkaFuture<Map<TopicPartition, OffsetAndMetadata>>> each :
        asked.entrySet()) {
      Map<TopicPartition, OffsetAndMetadata> offsets = answer(each.getValue());
      if (offsets != null) {
        all.put(each.getKey(), ofPresentTopics(offsets));
      }
    }
    return all;
  }

  /** Returns these offsets, with null for those of topics that were deleted and made again. */
  private Map<TopicPartition, OffsetAndMetadata> ofPresentTopics(
      Map<TopicPartition, OffsetAndMetadata> offsets) {
    Map<TopicPartition, OffsetAndMetadata> present = new HashMap<>(offsets);
    present.replaceAll((partition, offset) -> {
      TopicDescription topic = topics.get(partition.topic());
      return topic != null && TopicId.isOfAnother(offset, topic.topicId()) ? null : offset;
    });
    return present;
  }

  private Map<String, Integer> askMembers() throws MessagingException {
    Map<String, Integer> all = new HashMap<>();
    List<String> ordered =
        queues.stream().filter(Route.Queue::ordered).map(names::ordered).toList();
    for (Map.Entry<String, KafkaFuture<ConsumerGroupDescription>> each :
        link.admin().describeConsumerGroups(ordered).describedGroups().entrySet()) {
      ConsumerGroupDescription description = answer(each.getValue());
      if (description != null) {
        all.put(each.getKey(), description.members().size());
      }
    }
    List<String> groups =
        queues.stream().filter(each -> !each.ordered()).map(names::queue).toList();
    for (Map.Entry<String, KafkaFuture<ShareGroupDescription>> each :
        link.admin().describeShareGroups(groups).describedGroups().entrySet()) {
      ShareGroupDescription description = answer(each.getValue());
      if (description != null) {
        all.put(each.getKey(), description.members().size());
      }
    }
    return all;
  }

  /** Reads all that is new of dead letters, at once. */
  private Map<String, Long> askLetters() throws MessagingException {
    Map<String, Letters> asked = new HashMap<>();
    queues.forEach(queue -> asked.put(names.dead(queue), link.letters(queue)));
    Map<String, Long> all = new HashMap<>();
    Reader reader = link.letterReader();
    return reader.locked("the numbers of dead letters", () -> {
      Map<TopicPartition, Long> from = new HashMap<>();
      Map<TopicPartition, Long> to = new HashMap<>();
      asked.forEach((topic, known) -> {
        TopicDescription found = topics.get(topic);
        if (found == null || isAnother(reader, known, found)) {
          known.forget();
        }
        if (found != null && end(topic) > known.mark().next()) {
          known.mark().isOf(found);
          from.put(known.partition(), known.mark().next());
          to.put(known.partition(), end(topic));
        }
      });
      if (!from.isEmpty()) {
        reader.readAll(from, to, letter -> {
          Letters of = asked.get(letter.topic());
          return of == null || of.take(letter);
        });
      }
      asked.forEach((topic, known) -> all.put(topic, known.known()));
      return all;
    });
  }

  /**
   * Returns whether the topic of letters was made again since they were read, or has lost its end.
   * Another thread may have read more of it after its end was asked for here, so that end alone
   * does not tell.
   */
  private boolean isAnother(Reader reader, Letters known, TopicDescription found) {
    return known.mark().isOfAnother(found)
        || (end(found.name()) < known.mark().next()
            && reader.endOf(known.partition()) < known.mark().next());
  }

  private QueueStatus status(Route.Queue queue) {
    KafkaLink.Counts counts = link.counts(queue);
    long inFlight = Math.max(0, counts.inFlight.get());
    long delayed = delayed(queue);
    long waiting = queue.ordered() ? unsettled(queue) - delayed : unacknowledged(queue);
    long lag = waiting + unfed(queue);
    return new QueueStatus(
        queue.name(),
        queue.source(),
        Math.max(0, lag - inFlight),
        0,
        delayed,
        inFlight,
        letters.getOrDefault(names.dead(queue), 0L),
        link.letters(queue).dropped(),
        0,
        counts.expired.sum(),
        members.getOrDefault(queue.ordered() ? names.ordered(queue) : names.queue(queue), 0),
        Duration.ZERO);
  }

  private long unacknowledged(Route.Queue queue) {
    return names.shareGroups(queue).stream()
        .mapToLong(group -> lags.getOrDefault(group, 0L))
        .sum();
  }

  private long unsettled(Route.Queue queue) {
    long unsettled = 0;
    for (Map.Entry<TopicPartition, Progress> each : progress(queue).entrySet()) {
      unsettled += each.getValue().unsettled(ends.getOrDefault(each.getKey(), 0L));
    }
    return unsettled;
  }

  private long delayed(Route.Queue queue) {
    if (queue.ordered()) {
      long now = System.currentTimeMillis();
      return progress(queue).values().stream()
          .mapToLong(each -> each.delayed(now))
          .sum();
    }
    Map<TopicPartition, OffsetAndMetadata> moved =
        committed.getOrDefault(names.movers(queue), Map.of());
    long delayed = 0;
    for (String retry : names.retries(queue)) {
      OffsetAndMetadata offset = moved.get(new TopicPartition(retry, 0));
      delayed += Math.max(0, end(retry) - (offset == null ? 0 : offset.offset()));
    }
    return delayed;
  }
}
