package dev.mullion.messaging.tck;

import dev.mullion.messaging.Message;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.BiFunction;

/** Passes all calls on to another delivery, but for its settlement. */
class ForwardingDelivery implements RawDelivery {
  private final RawDelivery delivery;
  private final BiFunction<RawDelivery, Outcome, CompletionStage<Settlement>> settle;

  ForwardingDelivery(
      RawDelivery delivery, BiFunction<RawDelivery, Outcome, CompletionStage<Settlement>> settle) {
    this.delivery = delivery;
    this.settle = settle;
  }

  /** Returns a delivery, or a request if that is one, that is settled by this function. */
  static RawDelivery settling(
      RawDelivery delivery, BiFunction<RawDelivery, Outcome, CompletionStage<Settlement>> settle) {
    return delivery instanceof RawDelivery.Request request
        ? new OfRequest(request, settle)
        : new ForwardingDelivery(delivery, settle);
  }

  /** Returns a second delivery of the same message, whose outcome has no effect. */
  static RawDelivery duplicate(RawDelivery delivery) {
    return settling(
        delivery, (raw, outcome) -> CompletableFuture.completedFuture(Settlement.LEASE_LOST));
  }

  @Override
  public Message<byte[]> message() {
    return delivery.message();
  }

  @Override
  public String address() {
    return delivery.address();
  }

  @Override
  public int failures() {
    return delivery.failures();
  }

  @Override
  public int losses() {
    return delivery.losses();
  }

  @Override
  public void begin() {
    delivery.begin();
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    return settle.apply(delivery, outcome);
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return delivery.extend(time);
  }

  private static final class OfRequest extends ForwardingDelivery implements RawDelivery.Request {
    private final RawDelivery.Request request;

    OfRequest(
        RawDelivery.Request request,
        BiFunction<RawDelivery, Outcome, CompletionStage<Settlement>> settle) {
      super(request, settle);
      this.request = request;
    }

    @Override
    public Duration timeLeft() {
      return request.timeLeft();
    }

    @Override
    public CompletionStage<Void> reply(Reply reply) {
      return request.reply(reply);
    }

    @Override
    public long id() {
      return request.id();
    }
  }
}
