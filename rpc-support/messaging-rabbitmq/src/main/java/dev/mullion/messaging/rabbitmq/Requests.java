package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Reply;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Requests and replies as RabbitMQ has them: with {@code reply_to} and {@code correlation_id}, as
 * plain clients do it. Ours is the request's number, a slash and what the user sees as correlation
 * id of the reply. An error has the header {@code mullion-status}, and its text as the body.
 */
final class Requests {
  private static final String DIRECT_REPLY_TO = "amq.rabbitmq.reply-to";
  private static final int MOST_VISIBLE = 60;

  private Requests() {}

  static Wire.Outgoing request(long id, Message<byte[]> message, Duration timeout) {
    Wire.Outgoing out = Wire.copy(message);
    message.correlationId().ifPresent(given -> out.header(Wire.CORRELATION_ID, given));
    String visible = message.correlationId().orElseGet(message::id);
    out.properties.correlationId(visible.length() <= MOST_VISIBLE ? id + "/" + visible : id + "/");
    out.properties.replyTo(DIRECT_REPLY_TO);
    out.expiresAfter(timeout);
    out.header(Wire.TIMEOUT, Wire.millis(timeout));
    out.header(Wire.SENT, System.currentTimeMillis());
    return out;
  }

  /** Returns a request as its replier sees it. */
  static Message<byte[]> message(BasicProperties properties, byte[] body) {
    boolean isOurs = Wire.headers(properties).containsKey(Wire.SENT);
    return Wire.from(isOurs ? properties.builder().correlationId(null).build() : properties, body);
  }

  static Wire.Outgoing reply(Reply reply, @Nullable String correlation) {
    Wire.Outgoing out;
    if (reply.message().isPresent()) {
      Message<byte[]> message = reply.message().get();
      out = Wire.copy(message);
      message.correlationId().ifPresent(given -> out.header(Wire.CORRELATION_ID, given));
    } else {
      out = new Wire.Outgoing(Wire.bounded(reply.error()).getBytes(StandardCharsets.UTF_8));
      out.properties.contentType("text/plain; charset=utf-8");
    }
    out.header(Wire.STATUS, reply.status().name());
    out.properties.correlationId(correlation);
    return out;
  }

  /** Returns a reply that has arrived; null if it is not understood. */
  static @Nullable Reply arrived(BasicProperties properties, byte[] body) {
    String correlation = properties.getCorrelationId();
    int slash = correlation == null ? -1 : correlation.indexOf('/');
    if (correlation == null || slash < 0) {
      return null;
    }
    try {
      long id = Long.parseLong(correlation.substring(0, slash));
      Map<String, Object> headers = Wire.headers(properties);
      String name = Wire.text(headers, Wire.STATUS, null);
      Reply.Status status = name == null ? Reply.Status.OK : Reply.Status.valueOf(name);
      if (status != Reply.Status.OK) {
        return Reply.error(id, status, new String(body, StandardCharsets.UTF_8));
      }
      String rest = correlation.substring(slash + 1);
      BasicProperties visible =
          properties.builder().correlationId(rest.isEmpty() ? null : rest).build();
      return Reply.of(id, Wire.from(visible, body));
    } catch (IllegalArgumentException e) {
      Logs.warn("reply", "a reply is not understood: correlation id " + correlation, e);
      return null;
    }
  }
}
