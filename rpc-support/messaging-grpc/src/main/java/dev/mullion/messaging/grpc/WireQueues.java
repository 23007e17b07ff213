package dev.mullion.messaging.grpc;

import dev.mullion.messaging.Codecs;
import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.QueueStatus;
import dev.mullion.messaging.Redelivery;
import dev.mullion.messaging.Topic;
import dev.mullion.messaging.WorkQueue;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Declare;
import dev.mullion.messaging.grpc.v1.Queue;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoField;
import java.util.Optional;

/** Queues, their state and their dead letters on the wire. */
final class WireQueues {
  private WireQueues() {}

  static Queue of(Route.Queue route) {
    Queue.Builder wire = Queue.newBuilder()
        .setName(route.name())
        .setRedelivery(of(route.redelivery()))
        .setHandlerTimeout(WireMessages.of(route.handlerTimeout()))
        .setOrdered(route.ordered())
        .setCapacity(route.capacity())
        .setCapacityBytes(route.capacityBytes())
        .setOverflow(of(route.overflow()))
        .setMaxDeadLetters(route.maxDeadLetters())
        .setDeadLetterAge(WireMessages.of(route.deadLetterAge()));
    route.source().ifPresent(wire::setTopic);
    return wire.build();
  }

  private static dev.mullion.messaging.grpc.v1.Redelivery of(Redelivery redelivery) {
    return dev.mullion.messaging.grpc.v1.Redelivery.newBuilder()
        .setMaxDeliveries(redelivery.maxDeliveries())
        .setDelay(WireMessages.of(redelivery.delay()))
        .setMultiplier(redelivery.multiplier())
        .setMaxDelay(WireMessages.of(redelivery.maxDelay()))
        .build();
  }

  /**
   * Returns the route.
   *
   * @throws IllegalArgumentException if a name or a value is not allowed
   */
  static Route.Queue from(Queue wire) {
    WorkQueue.Builder<byte[]> builder = wire.hasTopic()
        ? Topic.of(wire.getTopic(), Codecs.bytes()).groupBuilder(wire.getName())
        : WorkQueue.builder(wire.getName(), Codecs.bytes());
    if (wire.hasRedelivery()) {
      builder.redelivery(from(wire.getRedelivery()));
    }
    if (wire.hasHandlerTimeout()) {
      builder.handlerTimeout(WireMessages.from(wire.getHandlerTimeout()));
    }
    if (wire.getOverflow() != dev.mullion.messaging.grpc.v1.Overflow.OVERFLOW_UNSPECIFIED) {
      builder.overflow(from(wire.getOverflow()));
    }
    if (wire.hasMaxDeadLetters()) {
      builder.maxDeadLetters(wire.getMaxDeadLetters());
    }
    if (wire.hasDeadLetterAge()) {
      builder.deadLetterAge(WireMessages.from(wire.getDeadLetterAge()));
    }
    return route(builder
        .ordered(wire.getOrdered())
        .capacity(wire.getCapacity())
        .capacityBytes(wire.getCapacityBytes()));
  }

  private static Route.Queue route(WorkQueue.Builder<byte[]> builder) {
    WorkQueue<byte[]> queue;
    try {
      queue = builder.build();
    } catch (IllegalStateException clash) {
      throw new IllegalArgumentException(clash.getMessage(), clash);
    }
    return new Route.Queue(
        queue.name(),
        queue.source().map(Topic::name),
        queue.redelivery(),
        queue.handlerTimeout(),
        queue.ordered(),
        queue.capacity(),
        queue.capacityBytes(),
        queue.overflow(),
        queue.maxDeadLetters(),
        queue.deadLetterAge());
  }

  private static Redelivery from(dev.mullion.messaging.grpc.v1.Redelivery wire) {
    Duration delay = WireMessages.from(wire.getDelay());
    return new Redelivery(
        wire.getMaxDeliveries(),
        delay,
        wire.getMultiplier() == 0 ? 1 : wire.getMultiplier(),
        wire.hasMaxDelay() ? WireMessages.from(wire.getMaxDelay()) : delay);
  }

  static dev.mullion.messaging.grpc.v1.Overflow of(Overflow overflow) {
    return dev.mullion.messaging.grpc.v1.Overflow.valueOf("OVERFLOW_" + overflow.name());
  }

  static Overflow from(dev.mullion.messaging.grpc.v1.Overflow wire) {
    return switch (wire) {
      case OVERFLOW_BLOCK -> Overflow.BLOCK;
      case OVERFLOW_FAIL -> Overflow.FAIL;
      case OVERFLOW_DROP_OLDEST, OVERFLOW_UNSPECIFIED -> Overflow.DROP_OLDEST;
      case OVERFLOW_DROP_NEWEST -> Overflow.DROP_NEWEST;
      case UNRECOGNIZED ->
        throw new IllegalArgumentException(
            "overflow: a value of a later version (expected: one of " + Overflow.class + ")");
    };
  }

  static dev.mullion.messaging.grpc.v1.QueueStatus of(long id, QueueStatus status) {
    var wire = dev.mullion.messaging.grpc.v1.QueueStatus.newBuilder()
        .setId(id)
        .setName(status.name())
        .setWaiting(status.waiting())
        .setWaitingBytes(status.waitingBytes())
        .setDelayed(status.delayed())
        .setInFlight(status.inFlight())
        .setDeadLetters(status.deadLetters())
        .setDeadLettersDropped(status.deadLettersDropped())
        .setDropped(status.dropped())
        .setExpired(status.expired())
        .setConsumers(status.consumers())
        .setOldest(WireMessages.of(status.oldest()));
    status.source().ifPresent(wire::setTopic);
    return wire.build();
  }

  static QueueStatus from(dev.mullion.messaging.grpc.v1.QueueStatus wire) {
    return new QueueStatus(
        wire.getName(),
        wire.hasTopic() ? Optional.of(wire.getTopic()) : Optional.empty(),
        wire.getWaiting(),
        wire.getWaitingBytes(),
        wire.getDelayed(),
        wire.getInFlight(),
        wire.getDeadLetters(),
        wire.getDeadLettersDropped(),
        wire.getDropped(),
        wire.getExpired(),
        wire.getConsumers(),
        WireMessages.from(wire.getOldest()));
  }

  static dev.mullion.messaging.grpc.v1.DeadLetter of(DeadLetter letter) {
    return dev.mullion.messaging.grpc.v1.DeadLetter.newBuilder()
        .setOriginal(WireMessages.of(letter.original()))
        .setQueue(letter.queue())
        .setReason(dev.mullion.messaging.grpc.v1.DeadLetter.Reason.valueOf(
            "REASON_" + letter.reason().name()))
        .setError(WireErrors.bounded(letter.error()))
        .setDeliveryCount(letter.deliveryCount())
        .setDied(com.google.protobuf.Timestamp.newBuilder()
            .setSeconds(letter.died().getEpochSecond())
            .setNanos(letter.died().get(ChronoField.NANO_OF_SECOND)))
        .build();
  }

  static DeadLetter from(dev.mullion.messaging.grpc.v1.DeadLetter wire) {
    return new DeadLetter(
        WireMessages.from(wire.getOriginal()),
        wire.getQueue(),
        reason(wire.getReason()),
        wire.getError(),
        wire.getDeliveryCount(),
        Instant.ofEpochSecond(wire.getDied().getSeconds(), wire.getDied().getNanos()));
  }

  private static DeadLetter.Reason reason(dev.mullion.messaging.grpc.v1.DeadLetter.Reason wire) {
    return switch (wire) {
      case REASON_REJECTED -> DeadLetter.Reason.REJECTED;
      case REASON_UNDECODABLE -> DeadLetter.Reason.UNDECODABLE;
      case REASON_EXPIRED -> DeadLetter.Reason.EXPIRED;
      case REASON_OVERFLOW -> DeadLetter.Reason.OVERFLOW;
      case REASON_DELIVERY_LIMIT, REASON_UNSPECIFIED, UNRECOGNIZED ->
        DeadLetter.Reason.DELIVERY_LIMIT;
    };
  }

  static ClientFrame declare(long id, Route.Queue queue, Declaration declaration) {
    return ClientFrame.newBuilder()
        .setDeclare(Declare.newBuilder()
            .setId(id)
            .setQueue(WireQueues.of(queue))
            .setReplace(declaration == Declaration.REPLACE))
        .build();
  }
}
