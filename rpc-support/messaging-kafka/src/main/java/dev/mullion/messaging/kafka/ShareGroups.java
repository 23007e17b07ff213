package dev.mullion.messaging.kafka;

import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.MessagingException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.jspecify.annotations.Nullable;

/** Configures share groups, or checks that they are configured, and asks how far they are. */
final class ShareGroups {
  private static final String RESET = "share.auto.offset.reset";
  private static final String LIMIT = "share.delivery.count.limit";

  /** Without these, the group skips what was pushed before its first worker, or gives up early. */
  private static final Map<String, String> NEEDED = Map.of(
      RESET, "earliest", LIMIT, "10"); // above what the core allows: the broker never drops first

  private final Topology topology;
  private final Admin admin;
  private final Settings settings;

  ShareGroups(Topology topology, Admin admin, Settings settings) {
    this.topology = topology;
    this.admin = admin;
    this.settings = settings;
  }

  /**
   * Configures a share group, and sets its first place if its topic was just created; or checks it.
   *
   * @param givenUp the topic of what the broker gives up; null to drop it
   */
  void ensure(String group, boolean isNew, @Nullable String givenUp, String what)
      throws MessagingException {
    if (!settings.creates()) {
      check(group, what);
      return;
    }
    Map<String, String> configs = new LinkedHashMap<>(NEEDED);
    configs.put("share.record.lock.duration.ms", "" + settings.lockDuration().toMillis());
    if (givenUp != null) {
      configs.put("errors.deadletterqueue.topic.name", givenUp);
      configs.put("errors.deadletterqueue.copy.record.enable", "true");
    }
    List<AlterConfigOp> changes = new ArrayList<>();
    configs.forEach((name, value) ->
        changes.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
    topology.await(
        admin.incrementalAlterConfigs(Map.of(resource(group), changes)).all(),
        what + ", share group " + group + " with lockDuration " + settings.lockDuration());
    if (isNew) { // without it the first worker waits for the group's first heartbeats
      begin(group, what);
    }
  }

  /**
   * Asks how far a share group is in the topic of its name: null if no worker has been there yet.
   * One group at a time, since a question about many takes seconds (Kafka 4.4.0).
   */
  static KafkaFuture<@Nullable SharePartitionOffsetInfo> place(Admin admin, String group) {
    return admin
        .listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()))
        .partitionsToOffsetInfo(group)
        .thenApply(places -> places.get(new TopicPartition(group, 0)));
  }

  /** Returns how many messages a share group at this place has not settled, of a topic's end. */
  static long lag(@Nullable SharePartitionOffsetInfo place, long end) {
    return place == null
        ? end
        : place.lag().orElse(Math.max(0, end - Math.max(0, place.startOffset())));
  }

  private static ConfigResource resource(String group) {
    return new ConfigResource(ConfigResource.Type.GROUP, group);
  }

  private void check(String group, String what) throws MessagingException {
    Config found = topology
        .await(admin.describeConfigs(List.of(resource(group))).all(), what + ", share group")
        .get(resource(group));
    for (Map.Entry<String, String> each : NEEDED.entrySet()) {
      ConfigEntry entry = found == null ? null : found.get(each.getKey());
      String value = entry == null ? null : entry.value();
      if (!each.getValue().equals(value)) {
        throw new ConflictingDeclarationException(what + ": share group " + group + " has "
            + each.getKey() + '=' + value + " (expected: " + each.getValue()
            + ", set by you, since KafkaEngine.Builder.topology is MUST_EXIST; Kafka at "
            + settings.servers() + ")");
      }
    }
  }

  private void begin(String group, String what) throws MessagingException {
    Map<TopicPartition, Long> begin = Map.of(new TopicPartition(group, 0), 0L);
    try {
      topology.onceKnown(
          what, () -> topology.await(admin.alterShareGroupOffsets(group, begin).all(), what));
    } catch (KafkaFailedException e) {
      if (!(e.getCause() instanceof GroupNotEmptyException)) { // its members have its place
        Logs.warn("group", "the first place of share group " + group + " was not set", e);
      }
    }
  }
}
