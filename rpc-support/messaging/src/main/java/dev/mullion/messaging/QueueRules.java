package dev.mullion.messaging;

import dev.mullion.messaging.engine.HandlerLostException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Route;
import org.jspecify.annotations.Nullable;

/** Queues and groups: at least once, up to {@code maxDeliveries}, and then a dead letter. */
final class QueueRules<T> extends Rules<T> {
  private final Redelivery redelivery;

  QueueRules(Route.Queue queue) {
    this.redelivery = queue.redelivery();
  }

  @Override
  int maxDeliveries() {
    return redelivery.maxDeliveries();
  }

  @Override
  @Nullable
  Verdict refused(Fetched<T> delivery) {
    if (delivery.deliveryCount <= redelivery.maxDeliveries()) {
      return null;
    }
    String error = "delivery " + delivery.deliveryCount + " exceeds maxDeliveries "
        + redelivery.maxDeliveries() + ": " + delivery.raw.failures() + " failed, "
        + delivery.raw.losses() + " ended with their process or connection";
    return bury(Ending.BURIED, DeadLetter.Reason.DELIVERY_LIMIT, error, null);
  }

  @Override
  Verdict undecodable(Fetched<T> delivery, Throwable error) {
    return bury(Ending.UNDECODABLE, DeadLetter.Reason.UNDECODABLE, text(error), null);
  }

  @Override
  Verdict failed(Fetched<T> delivery, Throwable error) {
    if (error instanceof RejectedMessageException) {
      return bury(Ending.REJECTED, DeadLetter.Reason.REJECTED, text(error), null);
    }
    if (error instanceof UndecodableMessageException) {
      return undecodable(delivery, error);
    }
    if (error instanceof HandlerLostException lost) {
      return Verdict.of(Ending.GIVEN_BACK, new Outcome.GiveBack(lost.begun()), null);
    }
    return cut(delivery, Ending.FAILED, error);
  }

  @Override
  Verdict cut(Fetched<T> delivery, Ending ending, Throwable error) {
    if (delivery.isLast()) {
      return bury(ending, DeadLetter.Reason.DELIVERY_LIMIT, text(error), error);
    }
    return Verdict.of(
        ending,
        new Outcome.Redeliver(redelivery.delayAfter(delivery.deliveryCount), text(error)),
        error);
  }

  private static Verdict bury(
      Ending ending, DeadLetter.Reason reason, String error, @Nullable Throwable told) {
    return Verdict.of(ending, new Outcome.Bury(reason, error), told);
  }
}
