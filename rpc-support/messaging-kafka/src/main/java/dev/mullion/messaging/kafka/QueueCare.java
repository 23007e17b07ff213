package dev.mullion.messaging.kafka;

import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Source;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.SharePartitionOffsetInfo;
import org.apache.kafka.common.TopicPartition;

/** What the workers of a link do for their queues from time to time. */
final class QueueCare {
  private static final long EVERY_MILLIS = 2000;
  private static final int TRIM_EVERY = 30;

  private final KafkaLink link;
  private final Trimmer trimmer;

  QueueCare(KafkaLink link) {
    this.link = link;
    this.trimmer = new Trimmer(link);
  }

  void start() {
    lookAfter(0);
  }

  /**
   * Looks at intervals whether there are messages that may have killed workers of others, and at
   * longer ones deletes what is settled.
   */
  private void lookAfter(int round) {
    link.later(
        EVERY_MILLIS,
        () -> link.background(() -> {
          try {
            for (Source each : link.sources()) {
              if (each instanceof JobSource source) {
                source.lookAround();
                if (round % TRIM_EVERY == TRIM_EVERY - 1) {
                  trimmer.trim(source.queue());
                }
              }
            }
          } catch (MessagingException e) {
            link.failing("settled messages", e);
          } finally {
            lookAfter(round + 1);
          }
          return true;
        }));
  }

  /** Returns how many messages a share group has not settled; 0 if that cannot be known. Blocks. */
  long lag(String group) {
    try {
      TopicPartition partition = new TopicPartition(group, 0);
      Long end = link.topology().ends(List.of(partition), group).get(partition);
      if (end == null || end == 0) {
        return 0;
      }
      SharePartitionOffsetInfo info = link.topology()
          .await(
              link.admin()
                  .listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()))
                  .partitionsToOffsetInfo(group),
              group)
          .get(partition);
      return info == null ? end : info.lag().orElse(Math.max(0, end - info.startOffset()));
    } catch (MessagingException e) {
      return 0;
    }
  }
}
