package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** A message that the broker has forgotten already. */
record LiveDelivery(Message<byte[]> message, String address) implements RawDelivery {

  @Override
  public int failures() {
    return 0;
  }

  @Override
  public int losses() {
    return 0;
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    return Job.APPLIED;
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return CompletableFuture.completedFuture(null);
  }
}
