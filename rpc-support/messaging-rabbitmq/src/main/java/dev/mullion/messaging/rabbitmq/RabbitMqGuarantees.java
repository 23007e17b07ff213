package dev.mullion.messaging.rabbitmq;

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

/** What this engine promises, on a broker of one node; with more, queues have replicas too. */
final class RabbitMqGuarantees {
  static final List<Guarantees> ROWS = List.of(
      row(
          Pattern.REQUEST_REPLY,
          DeliveryPromise.AT_MOST_ONCE,
          Order.NONE,
          Durability.MACHINE,
          Loss.UNDELIVERED,
          Loss.UNDELIVERED,
          Loss.UNDELIVERED,
          Set.of(Overflow.FAIL),
          true),
      row(
          Pattern.PUBLISH_SUBSCRIBE,
          DeliveryPromise.AT_MOST_ONCE,
          Order.PER_SENDER,
          Durability.MACHINE,
          Loss.NOTHING,
          Loss.UNDELIVERED,
          Loss.UNDELIVERED,
          Set.of(Overflow.DROP_OLDEST, Overflow.DROP_NEWEST),
          false),
      row(
          Pattern.PUSH_PULL,
          DeliveryPromise.AT_LEAST_ONCE,
          Order.NONE,
          Durability.DISK,
          Loss.NOTHING,
          Loss.NOTHING,
          Loss.NOTHING,
          Set.of(Overflow.BLOCK, Overflow.FAIL, Overflow.DROP_NEWEST),
          false),
      row(
          Pattern.FIRE_AND_FORGET,
          DeliveryPromise.AT_MOST_ONCE,
          Order.NONE,
          Durability.MACHINE,
          Loss.UNDELIVERED,
          Loss.UNDELIVERED,
          Loss.UNDELIVERED,
          Set.of(Overflow.DROP_OLDEST, Overflow.DROP_NEWEST),
          false));

  private RabbitMqGuarantees() {}

  private static Guarantees row(
      Pattern pattern,
      DeliveryPromise delivery,
      Order order,
      Durability durability,
      Loss ifSenderDies,
      Loss ifReceiverDies,
      Loss ifEngineDies,
      Set<Overflow> overflows,
      boolean knowsNobodyListens) {
    return new Guarantees(
        pattern,
        delivery,
        order,
        durability,
        ifSenderDies,
        ifReceiverDies,
        ifEngineDies,
        GiveBack.UNCOUNTED,
        Capacity.SOFT,
        overflows,
        Wildcards.ALL,
        Duration.ZERO,
        true,
        true,
        knowsNobodyListens,
        HeldBack.QUEUE);
  }
}
