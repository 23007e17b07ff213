package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.Message;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.jspecify.annotations.Nullable;

/**
 * What the headers of a record say about its message, read in one pass. Of several headers of one
 * name the last counts.
 */
final class Envelope {
  private @Nullable String id;
  private @Nullable String contentType;
  private @Nullable String correlationId;
  private @Nullable String timestamp;
  private @Nullable String timeToLive;
  private @Nullable String expires;
  private @Nullable String failures;
  private @Nullable String losses;
  private Map<String, String> own = Map.of();

  Envelope(Headers headers) {
    for (Header each : headers) {
      byte[] value = each.value();
      read(each.key(), value == null ? null : new String(value, UTF_8));
    }
  }

  private void read(String name, @Nullable String value) {
    switch (name) {
      case Records.ID -> id = value;
      case Records.CONTENT_TYPE -> contentType = value;
      case Records.CORRELATION_ID -> correlationId = value;
      case Records.TIMESTAMP -> timestamp = value;
      case Records.TIME_TO_LIVE -> timeToLive = value;
      case Records.EXPIRES -> expires = value;
      case Records.FAILURES -> failures = value;
      case Records.LOSSES -> losses = value;
      default -> {
        if (name.startsWith(Records.ESCAPED)) {
          addOwn(name.substring(Records.ESCAPED.length()), value);
        } else if (!name.startsWith(Records.OWN)) {
          addOwn(name, value);
        }
      }
    }
  }

  private void addOwn(String name, @Nullable String value) {
    if (own.isEmpty()) {
      own = new LinkedHashMap<>();
    }
    own.put(name, value == null ? "" : value);
  }

  int failures() {
    return Records.count(failures);
  }

  int losses() {
    return Records.count(losses);
  }

  boolean isExpired() {
    return Records.number(expires, Long.MAX_VALUE) <= System.currentTimeMillis();
  }

  /** Returns the message of a record with these headers. */
  Message<byte[]> message(ConsumerRecord<byte[], byte[]> from) {
    return message(from, from.key());
  }

  /**
   * Returns the message of a record with these headers and that key; one without an id gets its
   * place as its id.
   */
  Message<byte[]> message(ConsumerRecord<byte[], byte[]> from, byte @Nullable [] key) {
    Message<byte[]> message = Message.of(from.value() == null ? new byte[0] : from.value())
        .withId(id == null ? Records.place(from) : id)
        .withTimestamp(Instant.ofEpochMilli(Records.number(timestamp, from.timestamp())));
    if (key != null) {
      message = message.withKey(new String(key, UTF_8));
    }
    if (contentType != null) {
      message = message.withContentType(contentType);
    }
    if (correlationId != null) {
      message = message.withCorrelationId(correlationId);
    }
    long left = Records.number(timeToLive, 0);
    if (left > 0) {
      message = message.withTimeToLive(Duration.ofMillis(left));
    }
    return own.isEmpty() ? message : message.withHeaders(own);
  }
}
