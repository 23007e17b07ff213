package dev.mullion.messaging.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;

/** A queue's declaration as text, one setting a line, so that any client can read it. */
final class QueueText {
  private static final String FORMAT = "1";

  private QueueText() {}

  static byte[] encode(Route.Queue queue) {
    StringBuilder text = new StringBuilder("format=").append(FORMAT).append('\n');
    settings(queue)
        .forEach((name, value) -> text.append(name).append('=').append(value).append('\n'));
    return text.toString().getBytes(UTF_8);
  }

  private static Map<String, String> settings(Route.Queue queue) {
    Redelivery redelivery = queue.redelivery();
    Map<String, String> all = new LinkedHashMap<>();
    all.put("name", queue.name());
    all.put("source", queue.source().orElse(""));
    all.put("maxDeliveries", "" + redelivery.maxDeliveries());
    all.put("delay", redelivery.delay().toString());
    all.put("multiplier", "" + redelivery.multiplier());
    all.put("maxDelay", redelivery.maxDelay().toString());
    all.put("handlerTimeout", queue.handlerTimeout().toString());
    all.put("ordered", "" + queue.ordered());
    all.put("capacity", "" + queue.capacity());
    all.put("capacityBytes", "" + queue.capacityBytes());
    all.put("overflow", queue.overflow().name());
    all.put("maxDeadLetters", "" + queue.maxDeadLetters());
    all.put("deadLetterAge", queue.deadLetterAge().toString());
    return all;
  }

  /** Returns the queue; throws an {@code IllegalArgumentException} if the text is not one. */
  static Route.Queue decode(byte[] text) {
    Map<String, String> all = new LinkedHashMap<>();
    for (String line : new String(text, UTF_8).split("\n", -1)) {
      int equals = line.indexOf('=');
      if (equals > 0) {
        all.put(line.substring(0, equals), line.substring(equals + 1));
      }
    }
    if (!FORMAT.equals(all.get("format"))) {
      throw new IllegalArgumentException(
          "format: " + all.get("format") + " (expected: " + FORMAT + ")");
    }
    try {
      return queue(all);
    } catch (NullPointerException | java.time.DateTimeException e) {
      throw new IllegalArgumentException("declaration " + all + " (expected: all settings)", e);
    }
  }

  private static Route.Queue queue(Map<String, String> all) {
    String source = value(all, "source");
    return new Route.Queue(
        value(all, "name"),
        source.isEmpty() ? Optional.empty() : Optional.of(source),
        new Redelivery(
            Integer.parseInt(value(all, "maxDeliveries")),
            Duration.parse(value(all, "delay")),
            Double.parseDouble(value(all, "multiplier")),
            Duration.parse(value(all, "maxDelay"))),
        Duration.parse(value(all, "handlerTimeout")),
        Boolean.parseBoolean(value(all, "ordered")),
        Long.parseLong(value(all, "capacity")),
        Long.parseLong(value(all, "capacityBytes")),
        Overflow.valueOf(value(all, "overflow")),
        Integer.parseInt(value(all, "maxDeadLetters")),
        Duration.parse(value(all, "deadLetterAge")));
  }

  private static String value(Map<String, String> all, String name) {
    String value = all.get(name);
    if (value == null) {
      throw new IllegalArgumentException("declaration without " + name + ": " + all);
    }
    return value;
  }

  /** Returns the error for a queue that is declared in another way; the text has both values. */
  static ConflictingDeclarationException conflict(
      Route.Queue asked, Route.Queue declared, String servers) {
    Map<String, String> ours = settings(asked);
    Map<String, String> theirs = settings(declared);
    StringJoiner texts = new StringJoiner(", ");
    ours.forEach((name, value) -> {
      if (!value.equals(theirs.get(name))) {
        texts.add(name + ": " + value + " (declared: " + theirs.get(name) + ")");
      }
    });
    return new ConflictingDeclarationException((asked.source().isPresent() ? "group " : "queue ")
        + asked.id() + " is declared with other settings: " + texts
        + " (redeclare changes them on purpose; Kafka at " + servers + ")");
  }
}
