package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** A message of a topic or signal: nothing is to be settled. */
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
    return CompletableFuture.completedStage(Settlement.APPLIED);
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return CompletableFuture.completedStage(null);
  }
}
