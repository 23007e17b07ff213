package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.GetResponse;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The dead letters of a queue or group. To look at them takes them for a moment; they are rejected
 * in the order in which they came, which keeps their order.
 */
final class DeadLetterQueue implements DeadLetters {
  private static final long PUT_BACK_NANOS = 1_000_000_000;

  private final RabbitMqLink link;
  private final Route.Queue queue;
  private final String name;

  DeadLetterQueue(RabbitMqLink link, Route.Queue queue) {
    this.link = link;
    this.queue = queue;
    this.name = link.entities().deadLetters(queue);
  }

  @Override
  public CompletionStage<Long> count() {
    return link.admin().ask("count of dead letters of " + queue.id(), (session, channel) -> {
      try {
        return (long) channel.queueDeclarePassive(name).getMessageCount();
      } catch (IOException e) {
        if (BrokerErrors.isNotFound(e)) {
          return 0L;
        }
        throw e;
      }
    });
  }

  @Override
  public CompletionStage<List<DeadLetter>> peek(int max) {
    return link.admin().ask("peek at dead letters of " + queue.id(), (session, channel) -> {
      List<DeadLetter> letters = new ArrayList<>();
      each(channel, max, response -> {
        letters.add(letter(response));
        return false;
      });
      return letters;
    });
  }

  @Override
  public CompletionStage<Long> redrive(int max, Predicate<DeadLetter> which) {
    return link.admin().ask("redrive of dead letters of " + queue.id(), (session, channel) -> {
      long[] done = new long[1];
      each(channel, Integer.MAX_VALUE, response -> {
        if (done[0] >= max || !which.test(letter(response))) {
          return false;
        }
        putBack(response, session);
        done[0]++;
        return true;
      });
      return done[0];
    });
  }

  private void putBack(GetResponse response, Session session) throws MessagingException {
    DeadLetter letter = letter(response);
    Wire.Outgoing copy = Wire.copy(letter.original()).persistent();
    Wire.correlation(copy, letter.original());
    if (queue.source().isPresent()) {
      copy.header(Wire.ADDRESS, address(response));
    }
    Waiting.await(
        link.publisher()
            .publish(Publication.copy(link.entities().jobs(queue), copy, () -> !session.isOver())),
        link.timeoutMillis(),
        link.engine().errors(),
        "redrive of " + letter.original().id());
  }

  private String address(GetResponse response) {
    Map<String, Object> headers = Wire.headers(response.getProps());
    String kept = Wire.text(headers, Wire.ADDRESS, null);
    return kept != null ? kept : BrokerDeath.of(headers).routingKey(queue.name());
  }

  @Override
  public CompletionStage<Long> purge(Predicate<DeadLetter> which) {
    return link.admin().ask("purge of dead letters of " + queue.id(), (session, channel) -> {
      long[] done = new long[1];
      each(channel, Integer.MAX_VALUE, response -> {
        boolean matches = which.test(letter(response));
        done[0] += matches ? 1 : 0;
        return matches;
      });
      return done[0];
    });
  }

  /** What is done with a letter. */
  private interface Visitor {
    /** Returns whether the letter is to go. */
    boolean visit(GetResponse response) throws IOException, MessagingException;
  }

  /** Visits the letters that are there now, oldest first; those that stay are put back in order. */
  private void each(Channel channel, int max, Visitor visitor)
      throws IOException, MessagingException {
    long count = Math.min(max, channel.queueDeclarePassive(name).getMessageCount());
    List<Long> staying = new ArrayList<>();
    try {
      for (long i = 0; i < count; i++) {
        GetResponse response = channel.basicGet(name, false);
        if (response == null) {
          break;
        }
        long tag = response.getEnvelope().getDeliveryTag();
        boolean goes = false;
        try {
          goes = visitor.visit(response);
        } finally {
          if (!goes) {
            staying.add(tag);
          }
        }
        if (goes) {
          channel.basicAck(tag, false);
        }
      }
    } finally {
      for (long tag : staying) {
        channel.basicReject(tag, true);
      }
      awaitBack(channel, staying.size());
    }
  }

  /** Waits until those put back are seen again, unless another takes them meanwhile. */
  private void awaitBack(Channel channel, int count) throws IOException {
    long end = System.nanoTime() + PUT_BACK_NANOS;
    while (channel.queueDeclarePassive(name).getMessageCount() < count
        && System.nanoTime() - end < 0) {
      LockSupport.parkNanos(1_000_000);
    }
  }

  private DeadLetter letter(GetResponse response) {
    BasicProperties properties = response.getProps();
    Map<String, Object> headers = Wire.headers(properties);
    DeadLetter.Reason reason = reason(Wire.text(headers, Wire.REASON, null));
    if (reason == null) { // by the broker
      BrokerDeath death = BrokerDeath.of(headers);
      long failures = Wire.number(headers, Wire.FAILURES, 0);
      return new DeadLetter(
          Wire.from(properties, response.getBody()),
          queue.name(),
          death.reason(),
          death.text(),
          (int) (failures + Wire.number(headers, Wire.LOSSES, 0)),
          death.time());
    }
    return new DeadLetter(
        Wire.from(properties, response.getBody()),
        queue.name(),
        reason,
        String.valueOf(Wire.text(headers, Wire.ERROR, "")),
        (int) Wire.number(headers, Wire.COUNT, 0),
        Instant.ofEpochMilli(Wire.number(headers, Wire.DIED, 0)));
  }

  /** Returns null if it is none of ours: a plain client may send any text. */
  private static DeadLetter.@Nullable Reason reason(@Nullable String text) {
    return Stream.of(DeadLetter.Reason.values())
        .filter(each -> each.name().equals(text))
        .findFirst()
        .orElse(null);
  }

  /** What the broker tells about a message that it has put here itself. */
  private record BrokerDeath(Map<?, ?> death) {

    static BrokerDeath of(Map<String, Object> headers) {
      return headers.get("x-death") instanceof List<?> deaths
              && !deaths.isEmpty()
              && deaths.get(0) instanceof Map<?, ?> first
          ? new BrokerDeath(first)
          : new BrokerDeath(Map.of());
    }

    String text() {
      return "by the broker: " + death.get("reason") + " in queue " + death.get("queue");
    }

    DeadLetter.Reason reason() {
      return switch (String.valueOf(death.get("reason"))) {
        case "expired" -> DeadLetter.Reason.EXPIRED;
        case "maxlen" -> DeadLetter.Reason.OVERFLOW;
        case "rejected" -> DeadLetter.Reason.REJECTED;
        default -> DeadLetter.Reason.DELIVERY_LIMIT;
      };
    }

    Instant time() {
      return death.get("time") instanceof Date time ? time.toInstant() : Instant.now();
    }

    String routingKey(String other) {
      return death.get("routing-keys") instanceof List<?> keys && !keys.isEmpty()
          ? String.valueOf(keys.get(0))
          : other;
    }
  }
}
