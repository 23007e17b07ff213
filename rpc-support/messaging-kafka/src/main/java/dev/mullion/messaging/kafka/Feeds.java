package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownMemberIdException;

/** The places in their topics from which groups are fed. */
final class Feeds {
  private static final long CLOCKS_DIFFER = TimeUnit.MINUTES.toMillis(1);

  private final Topology topology;
  private final Admin admin;

  Feeds(Topology topology, Admin admin) {
    this.topology = topology;
    this.admin = admin;
  }

  /** Commits the first place of a new group of a topic: its present end. */
  void start(String group, String topic, String what) throws MessagingException {
    if (places(group, what).isEmpty()) {
      TopicDescription found = topology.awaitKnown(topic, what);
      begin(group, found, topology.ends(Topology.partitions(found), what), what);
    }
  }

  /**
   * Waits until a group of a topic has a place: the process that declared the group commits it.
   * Another one must not, or it could skip messages that are promised to the group. Returns false
   * if there is no place after some seconds.
   */
  boolean isFed(String group, String what) throws MessagingException {
    for (int attempt = 1; places(group, what).isEmpty(); attempt++) {
      if (attempt == Topology.ATTEMPTS) {
        return false;
      }
      topology.pause(50, what);
    }
    return true;
  }

  /**
   * Commits the place of a group that the broker has forgotten, or whose declarer failed before it
   * did so. The group gets what the topic keeps from the time of the declaration on. Clocks may
   * differ by a minute.
   */
  void startAgain(String group, String topic, long declared, String what)
      throws MessagingException {
    Logs.warn(
        "group",
        "group " + group + " has no place in topic " + topic
            + ", and begins with what was sent after its declaration",
        null);
    TopicDescription found = topology.awaitKnown(topic, what);
    List<TopicPartition> partitions = Topology.partitions(found);
    Map<TopicPartition, Long> places = topology.ends(partitions, what);
    OffsetSpec since = OffsetSpec.forTimestamp(Math.max(0, declared - CLOCKS_DIFFER));
    topology.offsets(partitions, since, what).forEach((partition, offset) -> {
      if (offset >= 0) { // -1 if nothing was sent after that
        places.put(partition, offset);
      }
    });
    begin(group, found, places, what);
  }

  private Map<TopicPartition, OffsetAndMetadata> places(String group, String what)
      throws MessagingException {
    return topology.await(
        admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata(), what);
  }

  private void begin(
      String group, TopicDescription topic, Map<TopicPartition, Long> places, String what)
      throws MessagingException {
    Map<TopicPartition, OffsetAndMetadata> begin = new HashMap<>();
    places.forEach((partition, offset) ->
        begin.put(partition, TopicId.with(new OffsetAndMetadata(offset), topic.topicId())));
    try {
      topology.await(admin.alterConsumerGroupOffsets(group, begin).all(), what);
    } catch (KafkaFailedException e) {
      if (!(e.getCause() instanceof UnknownMemberIdException)) { // it has members with their places
        throw e;
      }
    }
  }
}
