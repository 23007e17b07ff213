package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.UnsupportedSettingException;
import dev.mullion.messaging.engine.Route;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;

/**
 * The names of what this engine has in Kafka. A first word has no dot and all else begins with its
 * kind and a dot, so names of different kinds never collide, not even by Kafka's own rule, for
 * which a dot and an underscore are the same.
 */
final class Names {
  /** Retry topics are created ahead, one for each delay. */
  static final int MOST_DELAYS = 32;

  private static final int MOST_CHARACTERS = 249; // of a topic of Kafka

  private final String prefix;
  private volatile @Nullable Named lastQueue;

  Names(String prefix) {
    this.prefix = prefix;
  }

  String declarations() {
    return prefix + "mullion.declarations";
  }

  /**
   * Returns where the broker itself puts what it gives up, as it does if workers die many times
   * before they have done anything. Kafka asks for the first word.
   */
  String givenUp() {
    return "dlq." + prefix + "mullion";
  }

  String replies() {
    return prefix + "mullion.replies";
  }

  /** Returns the Kafka topic of a topic or pattern: its first word. */
  String topic(String name) {
    int dot = name.indexOf('.');
    return prefix + (dot < 0 ? name : name.substring(0, dot));
  }

  /** Returns the topic to which a record was published; other clients write no such header. */
  String topicOf(ConsumerRecord<byte[], byte[]> published) {
    String name = Records.text(published.headers(), Records.TOPIC);
    return name == null ? published.topic().substring(prefix.length()) : name;
  }

  String subject(String name) {
    return prefix + "subject." + name;
  }

  String signal(String name) {
    return prefix + "signal." + name;
  }

  /** Returns the Kafka topic of a queue or group, which is the name of its share group too. */
  @SuppressWarnings("ReferenceEquality") // of one that is equal the name is made anew
  String queue(Route.Queue queue) {
    Named last = lastQueue;
    if (last != null && last.queue == queue) {
      return last.topic;
    }
    String topic = prefix + (queue.source().isEmpty() ? "queue." : "group.") + id(queue);
    lastQueue = new Named(queue, topic);
    return topic;
  }

  /** A queue and its topic: mostly the same is asked for again, and a string knows its hash. */
  private record Named(Route.Queue queue, String topic) {}

  /** Returns the topic of messages that may have killed a worker. */
  String suspects(Route.Queue queue) {
    return kind(queue, "suspect");
  }

  String dead(Route.Queue queue) {
    return kind(queue, "dead");
  }

  String retry(Route.Queue queue, long delayMillis) {
    return kind(queue, "retry-" + delayMillis);
  }

  /** Returns the consumer group that moves due messages back. */
  String movers(Route.Queue queue) {
    return kind(queue, "mover");
  }

  /** Returns the consumer group of the workers of an ordered queue. */
  String ordered(Route.Queue queue) {
    return kind(queue, "ordered");
  }

  /** Returns the consumer group that feeds a group of a topic. */
  String feeders(Route.Queue queue) {
    return kind(queue, "feeder");
  }

  private String kind(Route.Queue queue, String kind) {
    return prefix + (queue.source().isEmpty() ? "queue-" : "group-") + kind + '.' + id(queue);
  }

  /** A first word has no dot, so this is as unique as the id. */
  private static String id(Route.Queue queue) {
    return queue.id().replace('/', '.');
  }

  /** Returns the delays that a queue's messages can have, in milliseconds, without zero. */
  static Set<Long> delays(Route.Queue queue) {
    Redelivery redelivery = queue.redelivery();
    Set<Long> delays = new LinkedHashSet<>();
    for (int count = 1; count < redelivery.maxDeliveries(); count++) {
      long millis = redelivery.delayAfter(count).toMillis();
      if (millis > 0) {
        delays.add(millis);
      }
      if (millis >= redelivery.maxDelay().toMillis()
          || redelivery.multiplier() == 1
          || delays.size() > MOST_DELAYS) {
        break;
      }
    }
    return delays;
  }

  /** Returns the topics of delayed messages; those of an ordered queue stay in their place. */
  List<String> retries(Route.Queue queue) {
    List<String> names = new ArrayList<>();
    (queue.ordered() ? Set.<Long>of() : delays(queue))
        .forEach(delay -> names.add(retry(queue, delay)));
    return names;
  }

  static void checkDelays(Route.Queue queue) throws UnsupportedSettingException {
    if (!queue.ordered() && delays(queue).size() > MOST_DELAYS) {
      throw new UnsupportedSettingException("redelivery: " + queue.redelivery() + " has more than "
          + MOST_DELAYS + " different delays (expected: a greater multiplier or a smaller maxDelay,"
          + " since each delay of queue " + queue.id() + " is a Kafka topic)");
    }
  }

  /** Rejects a queue of which a topic would have too long a name, before another one is made. */
  void checkLength(Route.Queue queue) throws UnsupportedSettingException {
    for (String topic : all(queue)) {
      if (topic.length() > MOST_CHARACTERS) {
        throw new UnsupportedSettingException("name: \"" + queue.id() + "\" makes a Kafka topic of "
            + topic.length() + " characters (expected: <= " + MOST_CHARACTERS
            + "; a shorter name or prefix)");
      }
    }
  }

  /** Returns the topics that a subscription needs. */
  Set<String> needed(Route route) {
    if (!(route instanceof Route.Queue queue)) {
      return Set.of(address(route));
    }
    Set<String> needed = new LinkedHashSet<>(all(queue));
    needed.add(declarations());
    if (!queue.ordered()) {
      needed.add(givenUp());
    }
    queue.source().ifPresent(source -> needed.add(topic(source)));
    return needed;
  }

  /** Returns the Kafka topic of a topic, pattern, subject or signal. */
  String address(Route route) {
    if (route instanceof Route.Topic) {
      return topic(route.name());
    }
    return route instanceof Route.Subject ? subject(route.name()) : signal(route.name());
  }

  /** Returns all topics of a queue, the main one first. */
  List<String> all(Route.Queue queue) {
    Set<String> all = new LinkedHashSet<>(List.of(queue(queue), dead(queue)));
    all.addAll(shareGroups(queue));
    all.addAll(retries(queue));
    return List.copyOf(all);
  }

  /** Returns the share groups of a queue, each named as its only topic. */
  List<String> shareGroups(Route.Queue queue) {
    return queue.ordered() ? List.of() : List.of(queue(queue), suspects(queue));
  }

  /** Returns the consumer groups that settle messages of a queue's own topics. */
  List<String> settlers(Route.Queue queue) {
    List<String> groups = new ArrayList<>();
    if (queue.ordered()) {
      groups.add(ordered(queue));
    } else if (!retries(queue).isEmpty()) {
      groups.add(movers(queue));
    }
    return groups;
  }

  /** Returns the topic of a message that is in a queue or group. */
  String address(Route.Queue queue, ConsumerRecord<byte[], byte[]> record) {
    if (queue.source().isEmpty()) {
      return queue.name();
    }
    String topic = Records.text(record.headers(), Records.TOPIC);
    return topic == null ? queue.source().get() : topic;
  }
}
