package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Guarantees.Capacity;
import dev.mullion.messaging.Guarantees.DeliveryPromise;
import dev.mullion.messaging.Guarantees.Durability;
import dev.mullion.messaging.Guarantees.GiveBack;
import dev.mullion.messaging.Guarantees.HeldBack;
import dev.mullion.messaging.Guarantees.Loss;
import dev.mullion.messaging.Guarantees.Order;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Guarantees.Wildcards;
import dev.mullion.messaging.Overflow;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** What Kafka promises with this engine. */
final class Guaranteed {
  private static final Set<Overflow> DROPS = Set.of(Overflow.DROP_OLDEST, Overflow.DROP_NEWEST);

  private Guaranteed() {}

  /**
   * Returns the rows.
   *
   * @param replicated whether each topic has more than one replica
   * @param topicPartitions the number of partitions of topics that this engine creates
   */
  static List<Guarantees> rows(boolean replicated, int topicPartitions) {
    // One node answers before its disk has synced, so it is no more than that node's memory.
    Durability kept = replicated ? Durability.REPLICAS : Durability.MACHINE;
    Order published = topicPartitions == 1 ? Order.PER_SENDER : Order.PER_KEY;
    return List.of(
        row(Pattern.REQUEST_REPLY, Order.NONE, kept, Loss.UNDELIVERED, Set.of()),
        row(Pattern.PUBLISH_SUBSCRIBE, published, kept, Loss.UNDELIVERED, DROPS),
        row(Pattern.PUSH_PULL, Order.NONE, kept, Loss.NOTHING, Set.of()),
        row(Pattern.FIRE_AND_FORGET, Order.NONE, Durability.PROCESS, Loss.UNDELIVERED, DROPS));
  }

  private static Guarantees row(
      Pattern pattern,
      Order order,
      Durability durability,
      Loss ifReceiverDies,
      Set<Overflow> overflows) {
    boolean queues = pattern == Pattern.PUSH_PULL;
    boolean signals = pattern == Pattern.FIRE_AND_FORGET;
    return new Guarantees(
        pattern,
        queues ? DeliveryPromise.AT_LEAST_ONCE : DeliveryPromise.AT_MOST_ONCE,
        order,
        durability,
        signals ? Loss.UNDELIVERED : Loss.NOTHING,
        ifReceiverDies,
        signals ? Loss.UNDELIVERED : Loss.NOTHING,
        GiveBack.COUNTED,
        Capacity.NONE,
        overflows,
        Wildcards.NOT_FIRST_WORD,
        Duration.ZERO,
        true,
        true,
        false,
        HeldBack.KEY);
  }
}
