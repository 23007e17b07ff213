package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** A message of a topic or signal: nothing is to be settled. */
record LiveDelivery(Message<byte[]> message, String address) implements RawDelivery.Once {
  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    return CompletableFuture.completedStage(Settlement.APPLIED);
  }
}
