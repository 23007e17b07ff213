package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.grpc.v1.Settle;
import java.util.concurrent.CompletionStage;

/** What a client says about a delivery, as the engine understands it. */
final class Outcomes {
  private Outcomes() {}

  /**
   * Applies an outcome.
   *
   * @throws BrokenRules if it does not belong to a delivery of this pattern
   */
  static CompletionStage<Settlement> apply(Held delivery, Settle frame, int maxMessageSize) {
    Route.Queue queue = delivery.subscription.queue();
    if (queue != null) {
      return switch (frame.getOutcomeCase()) {
        case ACKNOWLEDGED -> delivery.settle(new Outcome.Acknowledge());
        case FAILED -> delivery.failed(queue, WireErrors.bounded(frame.getFailed()));
        case REJECTED -> delivery.bury(DeadLetter.Reason.REJECTED, frame.getRejected());
        case UNDECODABLE -> delivery.bury(DeadLetter.Reason.UNDECODABLE, frame.getUndecodable());
        case GIVEN_BACK ->
          delivery.giveBack(frame.getGivenBack().getCounted(), "given back by its worker");
        default -> throw wrongOutcome(frame, delivery);
      };
    }
    return answer(delivery, (RawDelivery.Request) delivery.raw(), frame, maxMessageSize);
  }

  private static CompletionStage<Settlement> answer(
      Held delivery, RawDelivery.Request request, Settle frame, int maxMessageSize) {
    long id = request.id();
    return switch (frame.getOutcomeCase()) {
      case REPLY -> delivery.reply(reply(id, frame.getReply(), maxMessageSize));
      case FAILED -> delivery.reply(error(id, Reply.Status.FAILED, frame.getFailed()));
      case REJECTED -> delivery.reply(error(id, Reply.Status.FAILED, frame.getRejected()));
      case UNDECODABLE ->
        delivery.reply(error(id, Reply.Status.UNDECODABLE, frame.getUndecodable()));
      case GIVEN_BACK ->
        delivery.giveBack(
            frame.getGivenBack().getCounted(),
            "the replier gave the request back after it had begun");
      default -> throw wrongOutcome(frame, delivery);
    };
  }

  private static Reply error(long id, Reply.Status status, String text) {
    return Reply.error(id, status, WireErrors.bounded(text));
  }

  private static Reply reply(
      long id, dev.mullion.messaging.grpc.v1.Message message, int maxMessageSize) {
    String tooLarge = WireMessages.tooLarge(message, maxMessageSize);
    return tooLarge == null
        ? Reply.of(id, WireMessages.from(message))
        : Reply.error(id, Reply.Status.FAILED, "reply of " + tooLarge);
  }

  private static BrokenRules wrongOutcome(Settle frame, Held delivery) {
    return new BrokenRules("outcome: " + frame.getOutcomeCase() + " of a delivery from "
        + (delivery.subscription.queue() == null
            ? "a subject (expected: REPLY, FAILED,"
            : "a queue (expected: ACKNOWLEDGED, FAILED, REJECTED,")
        + " UNDECODABLE or GIVEN_BACK)");
  }
}
