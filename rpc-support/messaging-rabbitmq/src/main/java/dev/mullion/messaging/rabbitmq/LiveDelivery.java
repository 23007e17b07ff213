package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.util.concurrent.CompletionStage;

/** A message that the broker has forgotten already. */
record LiveDelivery(Message<byte[]> message, String address) implements RawDelivery.Once {
  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    return Job.APPLIED;
  }
}
