package dev.mullion.messaging.kafka;

import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Uuid;
import org.jspecify.annotations.Nullable;

/**
 * The topic that a committed offset belongs to, as the last word of its metadata: {@code
 * @vEjO8bUYSN6IL2aPWcQuvg}. Kafka keeps offsets by the topic's name.
 */
final class TopicId {
  private static final char MARK = '@';

  private TopicId() {}

  /** Adds the id, if it is known. */
  static OffsetAndMetadata with(OffsetAndMetadata offset, @Nullable Uuid id) {
    String text = offset.metadata();
    return id == null
        ? offset
        : new OffsetAndMetadata(offset.offset(), (text.isEmpty() ? "" : text + ' ') + MARK + id);
  }

  /** Returns the metadata without the id. */
  static String textBefore(String metadata) {
    int mark = metadata.lastIndexOf(MARK);
    return mark < 0 ? metadata : metadata.substring(0, mark).stripTrailing();
  }

  /** Returns whether an offset is known to belong to the topic with this id. */
  static boolean isOf(OffsetAndMetadata offset, Uuid id) {
    return id.toString().equals(idOf(offset));
  }

  /** Returns whether an offset is known to belong to a topic with another id. */
  static boolean isOfAnother(@Nullable OffsetAndMetadata offset, @Nullable Uuid id) {
    String known = offset == null ? null : idOf(offset);
    return known != null && id != null && !known.equals(id.toString());
  }

  /** Returns whether two ids of a name are known and differ: the topic was made again. */
  static boolean differ(@Nullable Uuid one, @Nullable Uuid other) {
    return one != null && other != null && !one.equals(other);
  }

  private static @Nullable String idOf(OffsetAndMetadata offset) {
    int mark = offset.metadata().lastIndexOf(MARK);
    return mark < 0 ? null : offset.metadata().substring(mark + 1);
  }
}
