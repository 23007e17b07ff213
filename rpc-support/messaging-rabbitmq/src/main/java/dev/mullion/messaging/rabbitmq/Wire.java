package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import dev.mullion.messaging.Message;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Messages as RabbitMQ has them.
 *
 * <pre>
 *  Message          AMQP 0-9-1
 *  payload          body
 *  id               message_id
 *  content type     content_type
 *  correlation id   correlation_id; for requests and replies mullion-correlation-id
 *  timestamp        timestamp, in seconds; mullion-timestamp, in milliseconds
 *  time to live     expiration; mullion-expires, the time of day in milliseconds
 *  key              header mullion-key
 *  headers          headers of the same names, as text
 * </pre>
 *
 * <p>Texts for which AMQP has 255 bytes go into a header if they are longer. What a plain client
 * sends with other types of headers arrives as their text; the broker's own headers do not arrive.
 */
final class Wire {
  static final String KEY = "mullion-key";
  static final String ID = "mullion-id";
  static final String CONTENT_TYPE = "mullion-content-type";
  static final String CORRELATION_ID = "mullion-correlation-id";
  static final String TIMESTAMP = "mullion-timestamp";
  static final String EXPIRES = "mullion-expires";
  static final String ADDRESS = "mullion-address";
  static final String FAILURES = "mullion-failures";
  static final String LOSSES = "mullion-losses";
  static final String REPEATED = "mullion-repeated";
  static final String REASON = "mullion-reason";
  static final String ERROR = "mullion-error";
  static final String COUNT = "mullion-count";
  static final String DIED = "mullion-died";
  static final String STATUS = "mullion-status";
  static final String TIMEOUT = "mullion-timeout";
  static final String SENT = "mullion-sent";

  private static final String OURS = "mullion-";

  /** Before the name of a header that the broker would take for its own. */
  private static final String ESCAPE = "mullion-header-";

  private static final Set<String> OF_THE_BROKER = Set.of(
      "CC",
      "BCC",
      "x-death",
      "x-first-death-exchange",
      "x-first-death-queue",
      "x-first-death-reason",
      "x-last-death-exchange",
      "x-last-death-queue",
      "x-last-death-reason",
      "x-delivery-count",
      "x-stream-offset");

  private static final int SHORT = 255;

  /** The frame, and what AMQP has fields for: up to six texts of 255 bytes, and numbers. */
  private static final int FIXED = 2000;

  private static final int PER_HEADER = 16;

  /** For the headers that copies and dead letters have besides those of their message. */
  static final int ROOM_FOR_COPIES = 16 * 1024;

  private static final int MOST_ERROR = 4000;

  private Wire() {}

  /** A message as it goes out: its properties may still be added to. */
  static final class Outgoing {
    final BasicProperties.Builder properties;
    final Map<String, Object> headers;
    final byte[] body;

    Outgoing(byte[] body) {
      this.properties = new BasicProperties.Builder();
      this.headers = new LinkedHashMap<>();
      this.body = body;
    }

    /** Copies what has arrived. */
    Outgoing(BasicProperties arrived, byte[] body) {
      this.properties = arrived.builder();
      this.headers = new LinkedHashMap<>(Wire.headers(arrived));
      this.body = body;
    }

    Outgoing header(String name, Object value) {
      headers.put(name, value);
      return this;
    }

    Outgoing persistent() {
      properties.deliveryMode(2);
      return this;
    }

    Outgoing expiresAfter(Duration time) {
      properties.expiration(Long.toString(Math.max(1, millis(time))));
      return this;
    }

    BasicProperties build() {
      return properties.headers(headers).build();
    }

    /**
     * Returns why a client cannot send its headers, or null: one that finds a header too large
     * while it publishes has counted the message already.
     *
     * @param most the bytes of a frame
     */
    @Nullable
    String problem(int most) {
      if (surelyFits(most)) {
        return null;
      }
      long bytes = FIXED;
      for (Map.Entry<String, Object> each : headers.entrySet()) {
        int name = utf8(each.getKey());
        if (name > SHORT) {
          return "the name of a header has " + name + " bytes (expected: <= 255): "
              + each.getKey().substring(0, 32) + "...";
        }
        bytes += name + PER_HEADER;
        bytes += each.getValue() instanceof String text ? utf8(text) : 0;
      }
      return bytes <= most
          ? null
          : "the headers have " + bytes + " bytes (expected: <= " + most
              + ", the connection's frame_max, which the broker and requestedFrameMax of the"
              + " client set, less what copies need)";
    }

    /** Counts three bytes for each character, the most that one can have. */
    private boolean surelyFits(int most) {
      long bytes = FIXED;
      for (Map.Entry<String, Object> each : headers.entrySet()) {
        if (each.getKey().length() > SHORT / 3) {
          return false;
        }
        int value = each.getValue() instanceof String text ? text.length() : 0;
        bytes += PER_HEADER + 3L * (each.getKey().length() + value);
      }
      return bytes <= most;
    }

    private static int utf8(String text) {
      return text.getBytes(StandardCharsets.UTF_8).length;
    }
  }

  /** Returns a message that is sent for the first time, with its time to live. */
  static Outgoing first(Message<byte[]> message) {
    Outgoing out = copy(message);
    correlation(out, message);
    message.timeToLive().ifPresent(time -> {
      out.expiresAfter(time);
      out.header(EXPIRES, expiry(time));
    });
    return out;
  }

  private static long expiry(Duration time) {
    long now = System.currentTimeMillis();
    long millis = millis(time);
    return now + millis < now ? Long.MAX_VALUE : now + millis;
  }

  static void correlation(Outgoing out, Message<byte[]> message) {
    message.correlationId().ifPresent(id -> {
      if (isShort(id)) {
        out.properties.correlationId(id);
      } else {
        out.header(CORRELATION_ID, id);
      }
    });
  }

  /** Returns a message without its correlation id and time to live. */
  static Outgoing copy(Message<byte[]> message) {
    Outgoing out = new Outgoing(message.payload());
    message
        .headers()
        .forEach((name, value) ->
            out.header(OF_THE_BROKER.contains(name) ? ESCAPE + name : name, value));
    if (isShort(message.id())) {
      out.properties.messageId(message.id());
    } else {
      out.header(ID, message.id());
    }
    message.contentType().ifPresent(type -> {
      if (isShort(type)) {
        out.properties.contentType(type);
      } else {
        out.header(CONTENT_TYPE, type);
      }
    });
    out.properties.timestamp(Date.from(message.timestamp()));
    out.header(TIMESTAMP, message.timestamp().toEpochMilli());
    message.key().ifPresent(key -> out.header(KEY, key));
    return out;
  }

  private static boolean isShort(String text) {
    return text.length() <= SHORT / 3 || text.getBytes(StandardCharsets.UTF_8).length <= SHORT;
  }

  /** Returns a message as it has arrived. */
  static Message<byte[]> from(BasicProperties properties, byte[] body) {
    Map<String, Object> headers = headers(properties);
    Message<byte[]> message = Message.of(body);
    String id = text(headers, ID, properties.getMessageId());
    if (id != null) {
      message = message.withId(id);
    }
    String type = text(headers, CONTENT_TYPE, properties.getContentType());
    if (type != null) {
      message = message.withContentType(type);
    }
    String correlation = text(headers, CORRELATION_ID, properties.getCorrelationId());
    if (correlation != null) {
      message = message.withCorrelationId(correlation);
    }
    String key = text(headers, KEY, null);
    if (key != null) {
      message = message.withKey(key);
    }
    message = message.withTimestamp(timestamp(properties, headers));
    Map<String, String> own = own(headers);
    return own.isEmpty() ? message : message.withHeaders(own);
  }

  @SuppressWarnings("JavaUtilDate") // of the client
  private static Instant timestamp(BasicProperties properties, Map<String, Object> headers) {
    Date seconds = properties.getTimestamp();
    long millis = number(
        headers, TIMESTAMP, seconds == null ? System.currentTimeMillis() : seconds.getTime());
    return Instant.ofEpochMilli(millis);
  }

  private static Map<String, String> own(Map<String, Object> headers) {
    Map<String, String> own = new HashMap<>();
    headers.forEach((name, value) -> {
      if (name.startsWith(ESCAPE)) {
        own.put(name.substring(ESCAPE.length()), String.valueOf(value));
      } else if (!name.startsWith(OURS) && !OF_THE_BROKER.contains(name)) {
        own.put(name, String.valueOf(value));
      }
    });
    return own;
  }

  static Map<String, Object> headers(BasicProperties properties) {
    Map<String, Object> headers = properties.getHeaders();
    return headers == null ? Map.of() : headers;
  }

  static @Nullable String text(Map<String, Object> headers, String name, @Nullable String other) {
    Object value = headers.get(name);
    return value == null ? other : value.toString();
  }

  static long number(Map<String, Object> headers, String name, long other) {
    Object value = headers.get(name);
    if (value instanceof Number number) {
      return number.longValue();
    }
    return other;
  }

  static long millis(Duration time) {
    try {
      return time.toMillis();
    } catch (ArithmeticException e) {
      return Long.MAX_VALUE;
    }
  }

  /** Returns an error's text that fits into a header. */
  static String bounded(String error) {
    return error.length() <= MOST_ERROR ? error : error.substring(0, MOST_ERROR) + "...";
  }
}
