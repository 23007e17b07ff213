package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.Message;
import java.time.Duration;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.jspecify.annotations.Nullable;

/**
 * Messages as Kafka's records, readable by any client.
 *
 * <pre>
 *  key, value, timestamp   key (UTF-8 or none), payload, timestamp
 *  message-id, content-type, correlation-id
 *  mullion-...             what this engine needs, see the constants
 *  all others              the message's headers
 * </pre>
 *
 * <p>A header of a user with one of these three names is written as {@code mullion-header-NAME}.
 */
final class Records {
  static final String ID = "message-id";
  static final String CONTENT_TYPE = "content-type";
  static final String CORRELATION_ID = "correlation-id";
  static final String OWN = "mullion-";

  /** Before the name of a user's header that is one of the three names above. */
  static final String ESCAPED = OWN + "header-";

  /** When a message expires, in milliseconds since 1970, and its time to live. */
  static final String EXPIRES = OWN + "expires";

  static final String TIME_TO_LIVE = OWN + "time-to-live";

  /** The message's own time if the record cannot have it. */
  static final String TIMESTAMP = OWN + "timestamp";

  /** The full name of the topic. */
  static final String TOPIC = OWN + "topic";

  /** How many deliveries failed, and how many ended with their process. */
  static final String FAILURES = OWN + "failures";

  static final String LOSSES = OWN + "losses";

  /** Where the record was that the first copy was made of: all copies of one message have it. */
  static final String ORIGIN = OWN + "origin";

  /** When a delayed message is due, in milliseconds since 1970. */
  static final String DUE = OWN + "due";

  /** A record whose time is further from now could fall to a topic's retention, or be refused. */
  private static final long NEAR_MILLIS = 3_600_000;

  private static final long FAR_MILLIS = Long.MAX_VALUE / 4;

  private static final int MOST_ERROR = 4000;
  private static final int BATCH = 80;
  private static final int PER_HEADER = 10;

  private static volatile @Nullable ContentType lastType;

  private Records() {}

  /** Returns how many bytes a record has at most, alone in its batch. */
  static long size(ProducerRecord<byte[], byte[]> of) {
    long size = (long) BATCH + length(of.key()) + length(of.value());
    for (Header each : of.headers()) {
      size += PER_HEADER + 3L * each.key().length() + length(each.value());
    }
    return size;
  }

  private static int length(byte @Nullable [] bytes) {
    return bytes == null ? 0 : bytes.length;
  }

  /** Returns the beginning of an error's text, so that a header has room for it. */
  static String bounded(String error) {
    return error.length() <= MOST_ERROR ? error : error.substring(0, MOST_ERROR) + "...";
  }

  /** Returns the record of a message. */
  static ProducerRecord<byte[], byte[]> of(String kafkaTopic, Message<byte[]> message) {
    long now = System.currentTimeMillis();
    long time = message.timestamp().toEpochMilli();
    boolean isNear = time >= now - NEAR_MILLIS && time <= now + NEAR_MILLIS;
    byte[] key = message.key().map(text -> text.getBytes(UTF_8)).orElse(null);
    ProducerRecord<byte[], byte[]> record =
        new ProducerRecord<>(kafkaTopic, null, isNear ? time : now, key, message.payload());
    Headers headers = record.headers();
    add(headers, ID, message.id());
    message.contentType().ifPresent(type -> headers.add(contentType(type)));
    message.correlationId().ifPresent(id -> add(headers, CORRELATION_ID, id));
    message
        .headers()
        .forEach((name, value) -> add(headers, isMapped(name) ? ESCAPED + name : name, value));
    if (!isNear) {
      add(headers, TIMESTAMP, Long.toString(time));
    }
    if (message.timeToLive().isPresent()) {
      long left = millis(message.timeToLive().get());
      add(headers, EXPIRES, Long.toString(now + left));
      add(headers, TIME_TO_LIVE, Long.toString(left));
    }
    return record;
  }

  /** Returns the header of a media type: mostly the one of the message before. */
  private static Header contentType(String type) {
    ContentType last = lastType;
    if (last != null && last.type.equals(type)) {
      return last.header;
    }
    Header header = new RecordHeader(CONTENT_TYPE, type.getBytes(UTF_8));
    lastType = new ContentType(type, header);
    return header;
  }

  private record ContentType(String type, Header header) {}

  static long millis(Duration duration) {
    return duration.toSeconds() > FAR_MILLIS / 1000 ? FAR_MILLIS : Math.max(1, duration.toMillis());
  }

  private static boolean isMapped(String name) {
    return name.equals(ID) || name.equals(CONTENT_TYPE) || name.equals(CORRELATION_ID);
  }

  private static void add(Headers headers, String name, String value) {
    headers.add(new RecordHeader(name, value.getBytes(UTF_8)));
  }

  /** Puts a header in place of those of that name. */
  static void set(Headers headers, String name, String value) {
    headers.remove(name);
    headers.add(name, value.getBytes(UTF_8));
  }

  static @Nullable String text(Headers headers, String name) {
    Header header = headers.lastHeader(name);
    return header == null || header.value() == null ? null : new String(header.value(), UTF_8);
  }

  /** Returns a header's number; the default if it is absent, or another client wrote no number. */
  static long number(Headers headers, String name, long absent) {
    return number(text(headers, name), absent);
  }

  /** Returns the number that a text is; the default without one. */
  static long number(@Nullable String text, long absent) {
    try {
      return text == null ? absent : Long.parseLong(text);
    } catch (NumberFormatException e) {
      return absent;
    }
  }

  static int count(Headers headers, String name) {
    return count(text(headers, name));
  }

  static int count(@Nullable String text) {
    return (int) Math.max(0, Math.min(Integer.MAX_VALUE / 2, number(text, 0)));
  }

  /** Returns how many deliveries of a record are counted. */
  static int tries(ConsumerRecord<byte[], byte[]> of) {
    return count(of.headers(), FAILURES) + count(of.headers(), LOSSES);
  }

  static @Nullable String key(ConsumerRecord<byte[], byte[]> from) {
    return from.key() == null ? null : new String(from.key(), UTF_8);
  }

  static String place(ConsumerRecord<byte[], byte[]> from) {
    return from.topic() + '-' + from.partition() + '-' + from.offset();
  }

  /** Returns where a record, or the one it was copied from, was at first. */
  static String origin(ConsumerRecord<byte[], byte[]> from) {
    String origin = text(from.headers(), ORIGIN);
    return origin == null ? place(from) : origin;
  }

  /** Returns a copy of a record for another topic, with the same key, value, time and headers. */
  static ProducerRecord<byte[], byte[]> copy(
      ConsumerRecord<byte[], byte[]> from, String kafkaTopic) {
    ProducerRecord<byte[], byte[]> copy = new ProducerRecord<>(
        kafkaTopic, null, Math.max(0, from.timestamp()), from.key(), from.value(), from.headers());
    if (from.headers().lastHeader(ID) == null) {
      set(copy.headers(), ID, place(from));
    }
    set(copy.headers(), ORIGIN, origin(from));
    long time = Math.max(0, from.timestamp());
    long now = System.currentTimeMillis();
    if (time > now - NEAR_MILLIS && time < now + NEAR_MILLIS) {
      return copy;
    }
    if (from.headers().lastHeader(TIMESTAMP) == null) {
      set(copy.headers(), TIMESTAMP, Long.toString(time));
    }
    return new ProducerRecord<>(kafkaTopic, null, now, from.key(), from.value(), copy.headers());
  }
}
