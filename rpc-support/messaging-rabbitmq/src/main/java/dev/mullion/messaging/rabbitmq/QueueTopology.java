package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.Route;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The queues of the broker behind a work queue or group.
 *
 * <pre>
 *  topics exchange --binding--&gt; jobs &lt;--time to live passed-- delay.1000
 *  (of a group)                  | |                             ^
 *                 worker died,   | '---- failed, delay 1 s ------'
 *                 fetched again  v
 *                             suspect         dead &lt;-- buried; expired; delivery limit
 * </pre>
 */
final class QueueTopology {
  /** The broker's own limit, which only catches what kills each worker before it can count. */
  static final int DELIVERY_LIMIT = 10_000;

  private static final int MOST_DELAYS = 64;

  /** Dead letters may be looked at this often. */
  private static final int MOST_PEEKS = 1_000_000_000;

  private final Entities entities;

  QueueTopology(Entities entities) {
    this.entities = entities;
  }

  /** Checks what this engine cannot do. */
  void check(Route.Queue queue, Duration consumerTimeout) throws UnsupportedSettingException {
    entities.check(queue);
    boolean bounded = queue.capacity() > 0 || queue.capacityBytes() > 0;
    if (bounded && queue.source().isPresent()) {
      throw new UnsupportedSettingException("capacity: " + queue.capacity() + ", capacityBytes: "
          + queue.capacityBytes() + " (expected: 0 for group " + queue.id()
          + "; on RabbitMQ a full group would make all publishes of its topic fail)");
    }
    if (bounded && queue.overflow() == Overflow.DROP_OLDEST) {
      throw new UnsupportedSettingException("overflow: DROP_OLDEST (expected: BLOCK, FAIL or"
          + " DROP_NEWEST for queue " + queue.id() + "; RabbitMQ's drop-head excludes dead letters"
          + " that are never lost)");
    }
    if (delays(queue.redelivery()).size() > MOST_DELAYS) {
      throw new UnsupportedSettingException("redelivery: " + queue.redelivery() + " has "
          + delays(queue.redelivery()).size() + " different delays (expected: <= " + MOST_DELAYS
          + " for queue " + queue.id() + ", since each is a queue of the broker)");
    }
    if (queue.handlerTimeout().compareTo(consumerTimeout) >= 0) {
      throw new UnsupportedSettingException("handlerTimeout: " + queue.handlerTimeout()
          + " (expected: below consumerTimeout " + consumerTimeout + " for queue " + queue.id()
          + "; raise consumer_timeout of the broker and consumerTimeout of the engine)");
    }
  }

  /** Returns the different delays in milliseconds. */
  static Set<Long> delays(Redelivery redelivery) {
    Set<Long> delays = new TreeSet<>();
    long most = Wire.millis(redelivery.maxDelay());
    for (int count = 1; count < redelivery.maxDeliveries(); count++) {
      long delay = Wire.millis(redelivery.delayAfter(count));
      if (delay > 0) {
        delays.add(delay);
      }
      if (delay >= most || redelivery.multiplier() == 1 || delays.size() > MOST_DELAYS) {
        break;
      }
    }
    return delays;
  }

  /** Creates the queues, or checks that they are there. */
  void declare(Channel channel, Route.Queue queue, boolean create) throws IOException {
    if (!create) {
      channel.queueDeclarePassive(entities.jobs(queue));
      channel.queueDeclarePassive(entities.deadLetters(queue));
      if (!queue.ordered()) {
        channel.queueDeclarePassive(entities.suspects(queue));
        declareDelays(channel, queue, false);
      }
      return;
    }
    declare(channel, entities.deadLetters(queue), deadLetters(queue));
    declare(channel, entities.jobs(queue), jobs(queue));
    if (!queue.ordered()) {
      declare(channel, entities.suspects(queue), intoDeadLetters(queue));
      declareDelays(channel, queue, true);
    }
    bind(channel, queue);
  }

  /** Binds a group to its topic; the exchange may have been deleted, with all that was bound. */
  void bind(Channel channel, Route.Queue queue) throws IOException {
    if (queue.source().isPresent()) {
      channel.queueBind(entities.jobs(queue), entities.topics(), queue.source().get());
    }
  }

  /** Takes the bindings of a group's earlier declarations away. */
  void unbind(Channel channel, Route.Queue now, List<Route.Queue> earlier) throws IOException {
    for (Route.Queue each : earlier) {
      if (each.source().isPresent() && !each.source().equals(now.source())) {
        channel.queueUnbind(entities.jobs(now), entities.topics(), each.source().get());
      }
    }
  }

  /**
   * They are as old as the queue: the broker, when it is killed, loses those that it created just
   * before, with what it had confirmed.
   */
  private void declareDelays(Channel channel, Route.Queue queue, boolean create)
      throws IOException {
    for (long millis : delays(queue.redelivery())) {
      declareDelay(channel, queue, millis, create);
    }
  }

  private static void declare(Channel channel, String name, Map<String, Object> arguments)
      throws IOException {
    channel.queueDeclare(name, true, false, false, arguments);
  }

  private Map<String, Object> jobs(Route.Queue queue) {
    Map<String, Object> arguments = intoDeadLetters(queue);
    if (queue.ordered()) {
      arguments.put("x-single-active-consumer", true);
    }
    if (queue.capacity() > 0) {
      arguments.put("x-max-length", queue.capacity());
    }
    if (queue.capacityBytes() > 0) {
      arguments.put("x-max-length-bytes", queue.capacityBytes());
    }
    return arguments;
  }

  private Map<String, Object> intoDeadLetters(Route.Queue queue) {
    Map<String, Object> arguments = into(entities.deadLetters(queue));
    arguments.put("x-delivery-limit", DELIVERY_LIMIT);
    return arguments;
  }

  /** Returns the arguments of a queue whose messages leave it for another one, and are not lost. */
  private static Map<String, Object> into(String queue) {
    Map<String, Object> arguments = new LinkedHashMap<>();
    arguments.put("x-queue-type", "quorum");
    arguments.put("x-dead-letter-exchange", "");
    arguments.put("x-dead-letter-routing-key", queue);
    arguments.put("x-dead-letter-strategy", "at-least-once");
    arguments.put("x-overflow", "reject-publish");
    return arguments;
  }

  private static Map<String, Object> deadLetters(Route.Queue queue) {
    Map<String, Object> arguments = new LinkedHashMap<>();
    arguments.put("x-queue-type", "quorum");
    arguments.put("x-delivery-limit", MOST_PEEKS);
    arguments.put("x-max-length", queue.maxDeadLetters());
    arguments.put("x-message-ttl", timeToLive(queue.deadLetterAge()));
    return arguments;
  }

  /** The broker's greatest is about 49 days in some versions, and 100 years in others. */
  private static long timeToLive(Duration age) {
    return Math.max(1, Math.min(Wire.millis(age), Integer.MAX_VALUE * 2L));
  }

  /** Creates the queue for one delay. */
  void declareDelay(Channel channel, Route.Queue queue, long millis, boolean create)
      throws IOException {
    String name = entities.delayed(queue, millis);
    if (create) {
      Map<String, Object> arguments = into(entities.jobs(queue));
      arguments.put("x-message-ttl", millis);
      declare(channel, name, arguments);
    } else {
      channel.queueDeclarePassive(name);
    }
  }
}
