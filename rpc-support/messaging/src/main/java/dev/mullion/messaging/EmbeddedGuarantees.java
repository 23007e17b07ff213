package dev.mullion.messaging;

import dev.mullion.messaging.Guarantees.Capacity;
import dev.mullion.messaging.Guarantees.DeliveryPromise;
import dev.mullion.messaging.Guarantees.Durability;
import dev.mullion.messaging.Guarantees.GiveBack;
import dev.mullion.messaging.Guarantees.HeldBack;
import dev.mullion.messaging.Guarantees.Loss;
import dev.mullion.messaging.Guarantees.Order;
import dev.mullion.messaging.Guarantees.Pattern;
import dev.mullion.messaging.Guarantees.Wildcards;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** What the embedded engine promises, in memory and in a directory. */
final class EmbeddedGuarantees {
  private static final Set<Overflow> ALL = EnumSet.allOf(Overflow.class);
  private static final Set<Overflow> NEVER_WAITING =
      EnumSet.complementOf(EnumSet.of(Overflow.BLOCK));

  static final List<Guarantees> IN_MEMORY = rows(Durability.PROCESS, Loss.EVERYTHING);
  static final List<Guarantees> DURABLE = rows(Durability.DISK, Loss.NOTHING);

  private EmbeddedGuarantees() {}

  private static List<Guarantees> rows(Durability jobs, Loss ofJobs) {
    return List.of(
        atMostOnce(Pattern.REQUEST_REPLY, Order.NONE, Set.of(Overflow.FAIL)),
        atMostOnce(Pattern.PUBLISH_SUBSCRIBE, Order.PER_SENDER, ALL),
        row(Pattern.PUSH_PULL, DeliveryPromise.AT_LEAST_ONCE, Order.PER_KEY, jobs, ofJobs, ALL),
        atMostOnce(Pattern.FIRE_AND_FORGET, Order.NONE, NEVER_WAITING));
  }

  private static Guarantees atMostOnce(Pattern pattern, Order order, Set<Overflow> overflows) {
    return row(
        pattern,
        DeliveryPromise.AT_MOST_ONCE,
        order,
        Durability.PROCESS,
        Loss.UNDELIVERED,
        overflows);
  }

  private static Guarantees row(
      Pattern pattern,
      DeliveryPromise delivery,
      Order order,
      Durability durability,
      Loss loss,
      Set<Overflow> overflows) {
    return new Guarantees(
        pattern,
        delivery,
        order,
        durability,
        loss,
        loss,
        loss,
        GiveBack.UNCOUNTED,
        Capacity.HARD,
        overflows,
        Wildcards.ALL,
        Duration.ZERO,
        true,
        true,
        true,
        HeldBack.KEY);
  }
}
