package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/**
 * Deletes what is settled from the topics of a queue: they have no retention by time, which could
 * take messages that wait, and acknowledging deletes nothing in Kafka. An offset that may belong to
 * a former topic of that name deletes nothing.
 */
final class Trimmer {
  private final KafkaLink link;
  private final Names names;

  Trimmer(KafkaLink link) {
    this.link = link;
    this.names = link.names();
  }

  /** Trims the topics of a queue; blocks. */
  void trim(Route.Queue queue) throws MessagingException {
    String what = "the deletion of settled messages of " + queue.id();
    Map<TopicPartition, RecordsToDelete> settled = new HashMap<>();
    for (String group : names.shareGroups(queue)) {
      SharePartitionOffsetInfo place =
          link.topology().await(ShareGroups.place(link.admin(), group), what);
      if (place != null && place.startOffset() > 0) {
        settled.put(
            new TopicPartition(group, 0), RecordsToDelete.beforeOffset(place.startOffset()));
      }
    }
    for (String group : names.settlers(queue)) {
      Map<TopicPartition, OffsetAndMetadata> done = link.topology()
          .await(
              link.admin().listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata(), what);
      Map<String, TopicDescription> topics =
          link.topology().existing(Topology.topicsOf(done.keySet()), what);
      done.forEach((partition, offset) -> {
        TopicDescription topic = topics.get(partition.topic());
        if (offset != null
            && offset.offset() > 0
            && topic != null
            && TopicId.isOf(offset, topic.topicId())) {
          settled.put(partition, RecordsToDelete.beforeOffset(offset.offset()));
        }
      });
    }
    if (!settled.isEmpty()) {
      link.topology().await(link.admin().deleteRecords(settled).all(), what);
    }
  }
}
