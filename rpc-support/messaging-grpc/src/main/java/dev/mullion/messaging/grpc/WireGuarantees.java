package dev.mullion.messaging.grpc;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.Guarantees.Durability;
import dev.mullion.messaging.Guarantees.Loss;
import dev.mullion.messaging.Guarantees.Pattern;
import java.util.Locale;
import java.util.stream.Collectors;

/** What an engine promises, as it is seen from the other side of a connection. */
final class WireGuarantees {
  private WireGuarantees() {}

  /**
   * Returns what clients of a server are promised. The engine is another process than theirs, so it
   * keeps what it accepted when they die; what it handed to a subscriber or replier is lost with
   * that one. A signal is on its way when {@code send} returns, so nobody knows its receiver.
   */
  static Guarantees remote(Guarantees local) {
    boolean queue = local.pattern() == Pattern.PUSH_PULL;
    boolean request = local.pattern() == Pattern.REQUEST_REPLY;
    boolean signal = local.pattern() == Pattern.FIRE_AND_FORGET;
    return new Guarantees(
        local.pattern(),
        local.delivery(),
        local.order(),
        local.durability() == Durability.PROCESS ? Durability.MACHINE : local.durability(),
        request ? Loss.UNDELIVERED : Loss.NOTHING,
        queue ? Loss.NOTHING : Loss.UNDELIVERED,
        local.ifEngineDies(),
        local.giveBack(),
        local.capacity(),
        local.overflows(),
        local.wildcards(),
        local.leastDelay(),
        local.orderedQueues(),
        local.extendable(),
        !signal && local.knowsNobodyListens(),
        local.heldBack());
  }

  static dev.mullion.messaging.grpc.v1.Guarantees of(Guarantees row) {
    return dev.mullion.messaging.grpc.v1.Guarantees.newBuilder()
        .setPattern(named(dev.mullion.messaging.grpc.v1.Guarantees.Pattern.class, row.pattern()))
        .setDelivery(dev.mullion.messaging.grpc.v1.Guarantees.DeliveryPromise.valueOf(
            "DELIVERY_" + row.delivery().name()))
        .setOrder(named(dev.mullion.messaging.grpc.v1.Guarantees.Order.class, row.order()))
        .setDurability(
            named(dev.mullion.messaging.grpc.v1.Guarantees.Durability.class, row.durability()))
        .setIfSenderDies(loss(row.ifSenderDies()))
        .setIfReceiverDies(loss(row.ifReceiverDies()))
        .setIfEngineDies(loss(row.ifEngineDies()))
        .setGiveBack(dev.mullion.messaging.grpc.v1.Guarantees.GiveBack.valueOf(
            "GIVE_BACK_" + row.giveBack().name()))
        .setCapacity(named(dev.mullion.messaging.grpc.v1.Guarantees.Capacity.class, row.capacity()))
        .addAllOverflows(row.overflows().stream().map(WireQueues::of).toList())
        .setWildcards(
            named(dev.mullion.messaging.grpc.v1.Guarantees.Wildcards.class, row.wildcards()))
        .setLeastDelay(WireMessages.of(row.leastDelay()))
        .setOrderedQueues(row.orderedQueues())
        .setExtendable(row.extendable())
        .setKnowsNobodyListens(row.knowsNobodyListens())
        .setHeldBack(dev.mullion.messaging.grpc.v1.Guarantees.HeldBack.valueOf(
            "HELD_BACK_" + row.heldBack().name()))
        .build();
  }

  private static dev.mullion.messaging.grpc.v1.Guarantees.Loss loss(Loss loss) {
    return named(dev.mullion.messaging.grpc.v1.Guarantees.Loss.class, loss);
  }

  /** Values on the wire begin with the name of their type. */
  private static <W extends Enum<W>> W named(Class<W> wire, Enum<?> value) {
    return Enum.valueOf(wire, wire.getSimpleName().toUpperCase(Locale.ROOT) + "_" + value.name());
  }

  /**
   * Returns the promises.
   *
   * @throws IllegalArgumentException if they have values of a later version
   */
  static Guarantees from(dev.mullion.messaging.grpc.v1.Guarantees wire) {
    return new Guarantees(
        value(Pattern.class, wire.getPattern(), "PATTERN_"),
        value(Guarantees.DeliveryPromise.class, wire.getDelivery(), "DELIVERY_"),
        value(Guarantees.Order.class, wire.getOrder(), "ORDER_"),
        value(Durability.class, wire.getDurability(), "DURABILITY_"),
        value(Loss.class, wire.getIfSenderDies(), "LOSS_"),
        value(Loss.class, wire.getIfReceiverDies(), "LOSS_"),
        value(Loss.class, wire.getIfEngineDies(), "LOSS_"),
        value(Guarantees.GiveBack.class, wire.getGiveBack(), "GIVE_BACK_"),
        value(Guarantees.Capacity.class, wire.getCapacity(), "CAPACITY_"),
        wire.getOverflowsList().stream().map(WireQueues::from).collect(Collectors.toSet()),
        value(Guarantees.Wildcards.class, wire.getWildcards(), "WILDCARDS_"),
        WireMessages.from(wire.getLeastDelay()),
        wire.getOrderedQueues(),
        wire.getExtendable(),
        wire.getKnowsNobodyListens(),
        value(Guarantees.HeldBack.class, wire.getHeldBack(), "HELD_BACK_"));
  }

  private static <V extends Enum<V>> V value(Class<V> type, Enum<?> wire, String prefix) {
    if (!wire.name().startsWith(prefix)) {
      throw new IllegalArgumentException(
          type.getSimpleName() + ": " + wire.name() + " (expected: a value of version 1)");
    }
    return Enum.valueOf(type, wire.name().substring(prefix.length()));
  }
}
