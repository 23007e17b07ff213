package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** Declares queues and groups, and tells their state. */
final class Queues {
  private final KafkaLink link;
  private final Names names;
  private final Map<String, Route.Queue> prepared = new ConcurrentHashMap<>();
  private volatile boolean declarationsExist;

  Queues(KafkaLink link) {
    this.link = link;
    this.names = link.names();
  }

  void prepare(Route.Queue queue, Declaration declaration) throws MessagingException {
    check(queue);
    String what = "the declaration of " + queue.id();
    ensureDeclarations(what);
    boolean declaredHere = link.declarations().declare(queue, declaration);
    if (declaredHere || !queue.equals(prepared.get(queue.id()))) {
      ensure(queue, declaredHere, what);
      prepared.put(queue.id(), queue);
    }
  }

  private static void check(Route.Queue queue) throws UnsupportedSettingException {
    Names.checkDelays(queue);
    if (queue.capacity() > 0 || queue.capacityBytes() > 0) {
      throw new UnsupportedSettingException("capacity: " + queue.capacity() + ", capacityBytes: "
          + queue.capacityBytes() + " (expected: 0, since Kafka bounds no topic; queue "
          + queue.id() + ", engine kafka, see Guarantees.capacity)");
    }
    if (queue.ordered()) {
      throw new UnsupportedSettingException("ordered: true (expected: false; queue " + queue.id()
          + ", engine kafka, see Guarantees.orderedQueues)");
    }
    if (queue.source().isPresent()) {
      throw new UnsupportedSettingException("the kafka engine has no groups so far");
    }
  }

  private void ensureDeclarations(String what) throws MessagingException {
    if (!declarationsExist) {
      Topology topology = link.topology();
      topology.ensure(List.of(topology.compacted(names.declarations())), what);
      declarationsExist = true;
    }
  }

  /** Creates what is missing; someone may have declared the queue and then died. */
  private void ensure(Route.Queue queue, boolean declaredHere, String what)
      throws MessagingException {
    Topology topology = link.topology();
    List<NewTopic> topics = new ArrayList<>();
    topics.add(topology.kept(names.queue(queue)));
    topics.add(topology.kept(names.suspects(queue)));
    topics.add(topology.dead(names.dead(queue), queue.deadLetterAge()));
    names.retries(queue).forEach(each -> topics.add(topology.kept(each)));
    Set<String> created = topology.ensure(topics, what);
    for (String group : List.of(names.queue(queue), names.suspects(queue))) {
      topology.shareGroup(group, created.contains(group), what);
    }
  }

  void delete(Route.Queue queue) throws MessagingException {
    ensureDeclarations("the deletion of " + queue.id());
    Route.Queue declared = link.declarations().find(queue.id());
    prepared.remove(queue.id());
    link.declarations().delete(queue.id());
    link.topology().delete(declared == null ? queue : declared, names);
  }

  List<QueueStatus> all() throws MessagingException {
    ensureDeclarations("the list of queues");
    List<Route.Queue> declared = link.declarations().all();
    Measured measured = measure(declared);
    List<QueueStatus> all = new ArrayList<>();
    for (Route.Queue queue : declared) {
      all.add(status(queue, measured));
    }
    return all;
  }

  private record Measured(
      Map<TopicPartition, Long> ends,
      Map<String, Map<TopicPartition, SharePartitionOffsetInfo>> shared,
      Map<String, Map<TopicPartition, OffsetAndMetadata>> committed,
      Map<String, Integer> members) {}

  private Measured measure(List<Route.Queue> declared) {
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    Map<String, ListShareGroupOffsetsSpec> shared = new HashMap<>();
    Map<String, ListConsumerGroupOffsetsSpec> committed = new HashMap<>();
    for (Route.Queue queue : declared) {
      for (String group : List.of(names.queue(queue), names.suspects(queue))) {
        ends.put(new TopicPartition(group, 0), OffsetSpec.latest());
        shared.put(group, new ListShareGroupOffsetsSpec());
      }
      ends.put(new TopicPartition(names.dead(queue), 0), OffsetSpec.latest());
      for (String retry : names.retries(queue)) {
        ends.put(new TopicPartition(retry, 0), OffsetSpec.latest());
        committed.put(names.movers(queue), new ListConsumerGroupOffsetsSpec());
      }
    }
    Asked asked = new Asked(link, ends, shared, committed);
    return new Measured(asked.ends(), asked.shared(), asked.committed(), asked.members());
  }

  private QueueStatus status(Route.Queue queue, Measured measured) {
    KafkaLink.Counts counts = link.counts(queue);
    long inFlight = Math.max(0, counts.inFlight.get());
    long lag = lag(names.queue(queue), measured) + lag(names.suspects(queue), measured);
    long delayed = 0;
    for (String retry : names.retries(queue)) {
      TopicPartition partition = new TopicPartition(retry, 0);
      OffsetAndMetadata moved =
          measured.committed.getOrDefault(names.movers(queue), Map.of()).get(partition);
      delayed += measured.ends.getOrDefault(partition, 0L) - (moved == null ? 0 : moved.offset());
    }
    Letters letters = link.letters(queue);
    return new QueueStatus(
        queue.name(),
        queue.source(),
        Math.max(0, lag - inFlight),
        0,
        Math.max(0, delayed),
        inFlight,
        letters.known(measured.ends.getOrDefault(new TopicPartition(names.dead(queue), 0), 0L)),
        letters.dropped(),
        0,
        counts.expired.sum(),
        measured.members.getOrDefault(names.queue(queue), 0),
        Duration.ZERO);
  }

  /** Returns how many messages of a share group are not settled. */
  private static long lag(String group, Measured measured) {
    TopicPartition partition = new TopicPartition(group, 0);
    long end = measured.ends.getOrDefault(partition, 0L);
    SharePartitionOffsetInfo info =
        measured.shared.getOrDefault(group, Map.of()).get(partition);
    if (info == null) {
      return end; // no worker has been there yet
    }
    return info.lag().orElse(Math.max(0, end - Math.max(0, info.startOffset())));
  }

  /** The answers to some questions, each of which may fail for single queues: one just deleted. */
  private static final class Asked {
    private final KafkaLink link;
    private final org.apache.kafka.clients.admin.ListOffsetsResult ends;
    private final Set<TopicPartition> partitions;
    private final org.apache.kafka.clients.admin.ListShareGroupOffsetsResult shared;
    private final org.apache.kafka.clients.admin.ListConsumerGroupOffsetsResult committed;
    private final Map<String, org.apache.kafka.common.KafkaFuture<ShareGroupDescription>> groups;
    private final Set<String> shareGroups;
    private final Set<String> movers;

    Asked(
        KafkaLink link,
        Map<TopicPartition, OffsetSpec> ends,
        Map<String, ListShareGroupOffsetsSpec> shared,
        Map<String, ListConsumerGroupOffsetsSpec> committed) {
      this.link = link;
      this.partitions = ends.keySet();
      this.shareGroups = shared.keySet();
      this.movers = committed.keySet();
      this.ends = link.admin().listOffsets(ends);
      this.shared = link.admin().listShareGroupOffsets(shared);
      this.committed = link.admin().listConsumerGroupOffsets(committed);
      this.groups = link.admin().describeShareGroups(shareGroups).describedGroups();
    }

    private <T> void ask(java.util.function.Consumer<T> to,
        org.apache.kafka.common.KafkaFuture<T> answer) {
      try {
        to.accept(answer.get(
            link.settings().requestTimeout().toMillis(), TimeUnit.MILLISECONDS));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (Exception e) { // unknown to the broker, as yet or no longer
        // Its numbers stay 0.
      }
    }

    Map<TopicPartition, Long> ends() {
      Map<TopicPartition, Long> all = new HashMap<>();
      for (TopicPartition each : partitions) {
        ask(info -> all.put(each, info.offset()), ends.partitionResult(each));
      }
      return all;
    }

    Map<String, Map<TopicPartition, SharePartitionOffsetInfo>> shared() {
      Map<String, Map<TopicPartition, SharePartitionOffsetInfo>> all = new HashMap<>();
      for (String each : shareGroups) {
        ask(infos -> all.put(each, infos), shared.partitionsToOffsetInfo(each));
      }
      return all;
    }

    Map<String, Map<TopicPartition, OffsetAndMetadata>> committed() {
      Map<String, Map<TopicPartition, OffsetAndMetadata>> all = new HashMap<>();
      for (String each : movers) {
        ask(offsets -> all.put(each, offsets), committed.partitionsToOffsetAndMetadata(each));
      }
      return all;
    }

    Map<String, Integer> members() {
      Map<String, Integer> all = new HashMap<>();
      groups.forEach((group, answer) ->
          ask(description -> all.put(group, description.members().size()), answer));
      return all;
    }
  }
}
