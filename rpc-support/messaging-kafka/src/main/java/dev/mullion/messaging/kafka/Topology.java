package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.jspecify.annotations.Nullable;

/** Creates topics and groups, or checks that they exist. */
final class Topology {
  static final int ATTEMPTS = 60;

  private final Admin admin;
  private final Settings settings;
  private final Errors errors;
  private final KnownTopics known;
  private final ShareGroups shareGroups;
  private @Nullable Admin slow; // guarded by this

  Topology(Admin admin, Settings settings, Errors errors, KnownTopics known) {
    this.admin = admin;
    this.settings = settings;
    this.errors = errors;
    this.known = known;
    this.shareGroups = new ShareGroups(this, admin, settings);
  }

  <T> T await(KafkaFuture<T> answer, String what) throws MessagingException {
    try {
      return answer.get(settings.requestTimeout().toMillis() + 1000, TimeUnit.MILLISECONDS);
    } catch (Exception e) { // whatever it is, told apart there
      throw errors.of(e, what, false);
    }
  }

  NewTopic topic(String name, int partitions, Map<String, String> configs) {
    short replicas = (short) settings.replicationFactor();
    return new NewTopic(
            name, Optional.of(partitions), replicas < 0 ? Optional.empty() : Optional.of(replicas))
        .configs(configs);
  }

  /** Returns a topic that keeps its records until they are deleted by number. */
  NewTopic kept(String name) {
    return kept(name, 1);
  }

  /** Returns the topic of a queue that is ordered by key. */
  NewTopic ordered(String name) {
    return kept(name, settings.orderedPartitions());
  }

  private NewTopic kept(String name, int partitions) {
    return topic(
        name,
        partitions,
        Map.of("retention.ms", "-1", "max.message.bytes", "" + settings.maxCopyBytes()));
  }

  /** Returns the topic of what the broker gives up. */
  NewTopic givenUp(String name) {
    return topic(
        name,
        1,
        Map.of(
            "errors.deadletterqueue.group.enable", "true",
            "retention.ms", "-1",
            "max.message.bytes", "" + settings.maxCopyBytes()));
  }

  NewTopic brief(String name, Duration retention) {
    return topic(
        name,
        1,
        Map.of(
            "retention.ms", "" + retention.toMillis(),
            "segment.ms", "" + retention.toMillis(),
            "max.message.bytes", "" + settings.maxMessageBytes()));
  }

  /** Returns the topic of a signal: nobody reads what is older than this. */
  NewTopic signals(String name) {
    return brief(name, Duration.ofMinutes(10));
  }

  /** Returns the topic of a subject, or of replies. */
  NewTopic requests(String name) {
    return brief(name, Duration.ofHours(1));
  }

  NewTopic published(String name) {
    return topic(
        name,
        settings.topicPartitions(),
        Map.of("max.message.bytes", "" + settings.maxMessageBytes()));
  }

  NewTopic compacted(String name) {
    return topic(name, 1, Map.of("cleanup.policy", "compact", "retention.ms", "-1"));
  }

  /** Returns the topic of dead letters: single ones can be deleted by their key. */
  NewTopic dead(String name, Duration age) {
    return topic(
        name,
        1,
        Map.of(
            "cleanup.policy",
            "compact,delete",
            "retention.ms",
            "" + Records.millis(age),
            "max.message.bytes",
            "" + settings.maxCopyBytes()));
  }

  /** Sets how long an existing topic keeps its records, unless topics are not this engine's. */
  void keepFor(String topic, Duration age, String what) throws MessagingException {
    if (settings.creates()) {
      AlterConfigOp retention = new AlterConfigOp(
          new ConfigEntry("retention.ms", "" + Records.millis(age)), AlterConfigOp.OpType.SET);
      ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      await(
          admin.incrementalAlterConfigs(Map.of(resource, List.of(retention))).all(),
          what + ", topic " + topic);
    }
  }

  /** Creates those that are missing, or checks that none is; returns the names of the created. */
  Set<String> ensure(Collection<NewTopic> topics, String what) throws MessagingException {
    Set<String> created = settings.creates() ? create(topics, what) : check(topics, what);
    topics.forEach(each -> known.made(each.name()));
    return created;
  }

  private Set<String> create(Collection<NewTopic> topics, String what) throws MessagingException {
    Set<String> created = new HashSet<>();
    for (Map.Entry<String, KafkaFuture<Void>> each :
        admin.createTopics(topics).values().entrySet()) {
      try {
        each.getValue().get(settings.requestTimeout().toMillis() + 1000, TimeUnit.MILLISECONDS);
        created.add(each.getKey());
      } catch (ExecutionException e) {
        if (!(e.getCause() instanceof TopicExistsException)) {
          throw errors.of(e, what + ", topic " + each.getKey(), false);
        }
      } catch (Exception e) { // whatever it is, told apart there
        throw errors.of(e, what + ", topic " + each.getKey(), false);
      }
    }
    return created;
  }

  private Set<String> check(Collection<NewTopic> topics, String what) throws MessagingException {
    List<String> missing = new ArrayList<>(topics.stream().map(NewTopic::name).toList());
    missing.removeAll(existing(missing, what).keySet());
    if (!missing.isEmpty()) {
      throw new MissingAddressException(what + ": Kafka at " + settings.servers()
          + " has no topic " + String.join(", ", missing)
          + " (expected: created by you, since KafkaEngine.Builder.topology is MUST_EXIST)");
    }
    return Set.of();
  }

  /** Returns those topics that exist. */
  Map<String, TopicDescription> existing(Collection<String> topics, String what)
      throws MessagingException {
    return existing(topics, what, (topic, failure) -> {
      throw failure;
    });
  }

  /** Takes what failed for one topic, or throws it. */
  @FunctionalInterface
  interface Failed {
    void failed(String topic, MessagingException failure) throws MessagingException;
  }

  /** Returns those topics that are known to exist. */
  Map<String, TopicDescription> existing(Collection<String> topics, String what, Failed failed)
      throws MessagingException {
    Map<String, TopicDescription> existing = new HashMap<>();
    long asked = System.nanoTime();
    for (Map.Entry<String, KafkaFuture<TopicDescription>> each :
        admin.describeTopics(topics).topicNameValues().entrySet()) {
      String topic = each.getKey();
      try {
        TopicDescription description = await(each.getValue(), what + ", topic " + topic);
        existing.put(topic, description);
        known.exists(topic, description.topicId(), asked);
      } catch (MissingAddressException e) {
        known.missing(topic, asked);
      } catch (MessagingException e) {
        failed.failed(topic, e);
      }
    }
    return existing;
  }

  /** Waits until a node knows topics that may have been made just now. */
  Map<String, TopicDescription> awaitKnown(Set<String> topics, String what)
      throws MessagingException {
    return onceKnown(what, () -> all(topics, what));
  }

  /** Waits until a node knows a topic that may have been made just now. */
  TopicDescription awaitKnown(String topic, String what) throws MessagingException {
    return onceKnown(what, () -> one(topic, what));
  }

  /**
   * Returns the ids of the topics of these partitions, for a consumer's thread, which begins again
   * if they cannot be known: without them it would commit for any topic of that name.
   */
  Map<String, Uuid> idsOf(Collection<TopicPartition> partitions, String what) {
    Map<String, Uuid> ids = new HashMap<>();
    try {
      awaitKnown(topicsOf(partitions), what)
          .forEach((topic, found) -> ids.put(topic, found.topicId()));
    } catch (MessagingException e) {
      throw new KafkaException("whether a topic was made again: " + e.getMessage(), e);
    }
    return ids;
  }

  static Set<String> topicsOf(Collection<TopicPartition> partitions) {
    return partitions.stream().map(TopicPartition::topic).collect(Collectors.toSet());
  }

  /** Returns a topic, which must exist. */
  TopicDescription one(String topic, String what) throws MessagingException {
    return all(Set.of(topic), what).values().iterator().next();
  }

  /** Returns topics, which must exist. */
  private Map<String, TopicDescription> all(Set<String> topics, String what)
      throws MessagingException {
    Map<String, TopicDescription> found = existing(topics, what);
    Set<String> missing = new HashSet<>(topics);
    missing.removeAll(found.keySet());
    if (!missing.isEmpty()) {
      throw new MissingAddressException(what + ": Kafka at " + settings.servers() + " has no topic "
          + String.join(", ", missing) + "; see KafkaEngine.Builder.topology");
    }
    return found;
  }

  /** See {@link ShareGroups#ensure}. */
  void shareGroup(String group, boolean isNew, @Nullable String givenUp, String what)
      throws MessagingException {
    shareGroups.ensure(group, isNew, givenUp, what);
  }

  /** Asks the broker. */
  interface Asked<T> {
    T ask() throws MessagingException;
  }

  /** Asks again if a topic is missing, since the broker may learn a moment later that it exists. */
  <T> T onceKnown(String what, Asked<T> asked) throws MessagingException {
    for (int attempt = 1; ; attempt++) {
      try {
        return asked.ask();
      } catch (MissingAddressException e) {
        if (attempt == ATTEMPTS) {
          throw e;
        }
        pause(20, what);
      }
    }
  }

  void pause(long millis, String what) throws MessagingException {
    try {
      TimeUnit.MILLISECONDS.sleep(millis);
    } catch (InterruptedException e) {
      throw errors.of(e, what, false);
    }
  }

  Map<TopicPartition, Long> ends(Collection<TopicPartition> partitions, String what)
      throws MessagingException {
    return offsets(partitions, OffsetSpec.latest(), what);
  }

  Map<TopicPartition, Long> offsets(
      Collection<TopicPartition> partitions, OffsetSpec which, String what)
      throws MessagingException {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    partitions.forEach(each -> asked.put(each, which));
    Map<TopicPartition, Long> offsets = new HashMap<>();
    await(admin.listOffsets(asked).all(), what)
        .forEach((partition, info) -> offsets.put(partition, info.offset()));
    return offsets;
  }

  List<TopicPartition> partitions(String topic, String what) throws MessagingException {
    return partitions(awaitKnown(topic, what));
  }

  static List<TopicPartition> partitions(TopicDescription topic) {
    return topic.partitions().stream()
        .map(each -> new TopicPartition(topic.name(), each.partition()))
        .toList();
  }

  /** Moves a share group without members to the present end; one with members has its place. */
  void skipToEnd(String group, String what) throws MessagingException {
    Map<TopicPartition, Long> ends = ends(partitions(group, what), what);
    try {
      onceKnown(what, () -> await(admin.alterShareGroupOffsets(group, ends).all(), what));
    } catch (KafkaFailedException e) {
      // GroupNotEmptyException
    }
  }

  /** Deletes a queue's topics and groups; what is not there is no error. */
  void delete(Route.Queue queue, Names names) throws MessagingException {
    String what = "the deletion of " + queue.id();
    List<Map<String, KafkaFuture<Void>>> answers = new ArrayList<>();
    answers.add(admin.deleteTopics(names.all(queue)).topicNameValues());
    deleteShareGroups(queue, names);
    List<String> groups = new ArrayList<>(names.settlers(queue));
    if (queue.source().isPresent()) {
      groups.add(names.feeders(queue));
    }
    if (!groups.isEmpty()) {
      answers.add(admin.deleteConsumerGroups(groups).deletedGroups());
    }
    for (Map<String, KafkaFuture<Void>> each : answers) {
      for (Map.Entry<String, KafkaFuture<Void>> one : each.entrySet()) {
        try {
          await(one.getValue(), what);
        } catch (MissingAddressException absent) {
          // Others have deleted it too.
        } catch (KafkaFailedException e) { // such as a group with members: they end by themselves
          Logs.warn("delete", what + ": " + one.getKey() + " was not deleted", e);
        }
      }
    }
  }

  /**
   * Deletes the share groups, without waiting: what they know is about topics that are gone, so one
   * that stays does no harm. With many groups it can take seconds (Kafka 4.4.0), in which the
   * broker answers nothing else on that connection, so this has its own.
   */
  private void deleteShareGroups(Route.Queue queue, Names names) {
    for (String group : names.shareGroups(queue)) {
      slow().deleteShareGroups(List.of(group)).all().whenComplete((done, error) -> {
        if (error != null && !Errors.isMissing(Errors.cause(error))) {
          Logs.warn("delete", "share group " + group + " was not deleted: " + error, null);
        }
      });
    }
  }

  private synchronized Admin slow() {
    Admin now = slow;
    if (now == null) {
      now = settings.admin();
      slow = now;
    }
    return now;
  }

  synchronized void close() {
    if (slow != null) {
      slow.close(Duration.ZERO);
    }
  }
}
