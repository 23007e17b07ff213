package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.engine.Route;
import java.lang.reflect.RecordComponent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * A record of the stream of declarations: all of it is in the headers.
 *
 * @param what declare, replace or delete
 * @param record the record's own id
 */
record DeclarationRecord(String what, String record, Route.Queue queue) {

  static Wire.Outgoing of(String what, Route.Queue queue, String record) {
    Wire.Outgoing out = new Wire.Outgoing(new byte[0]);
    out.properties.messageId(record);
    out.properties.type("mullion-declaration");
    out.persistent();
    out.header("what", what);
    out.header("name", queue.name());
    queue.source().ifPresent(topic -> out.header("source", topic));
    Redelivery redelivery = queue.redelivery();
    out.header("maxDeliveries", redelivery.maxDeliveries());
    out.header("delay", redelivery.delay().toString());
    out.header("multiplier", Double.toString(redelivery.multiplier()));
    out.header("maxDelay", redelivery.maxDelay().toString());
    out.header("handlerTimeout", queue.handlerTimeout().toString());
    out.header("ordered", queue.ordered());
    out.header("capacity", queue.capacity());
    out.header("capacityBytes", queue.capacityBytes());
    out.header("overflow", queue.overflow().name());
    out.header("maxDeadLetters", queue.maxDeadLetters());
    out.header("deadLetterAge", queue.deadLetterAge().toString());
    return out;
  }

  static DeclarationRecord from(BasicProperties properties) {
    Map<String, Object> headers = Wire.headers(properties);
    Redelivery redelivery = new Redelivery(
        (int) Wire.number(headers, "maxDeliveries", 1),
        Duration.parse(text(headers, "delay")),
        Double.parseDouble(text(headers, "multiplier")),
        Duration.parse(text(headers, "maxDelay")));
    Route.Queue queue = new Route.Queue(
        text(headers, "name"),
        Optional.ofNullable(Wire.text(headers, "source", null)),
        redelivery,
        Duration.parse(text(headers, "handlerTimeout")),
        Boolean.parseBoolean(text(headers, "ordered")),
        Wire.number(headers, "capacity", 0),
        Wire.number(headers, "capacityBytes", 0),
        Overflow.valueOf(text(headers, "overflow")),
        (int) Wire.number(headers, "maxDeadLetters", 1),
        Duration.parse(text(headers, "deadLetterAge")));
    return new DeclarationRecord(
        text(headers, "what"), String.valueOf(properties.getMessageId()), queue);
  }

  private static String text(Map<String, Object> headers, String name) {
    String text = Wire.text(headers, name, null);
    if (text == null) {
      throw new IllegalArgumentException("no header " + name);
    }
    return text;
  }

  /** Returns what differs, each with both values. */
  static String differences(Route.Queue asked, Route.Queue declared) {
    List<String> texts = new ArrayList<>();
    for (RecordComponent each : Route.Queue.class.getRecordComponents()) {
      try {
        Object one = each.getAccessor().invoke(asked);
        Object other = each.getAccessor().invoke(declared);
        if (!Objects.equals(one, other)) {
          texts.add(each.getName() + ": " + one + " (declared: " + other + ")");
        }
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }
    return String.join(", ", texts);
  }
}
