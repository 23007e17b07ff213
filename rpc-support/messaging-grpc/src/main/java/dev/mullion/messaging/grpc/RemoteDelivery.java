package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.grpc.v1.Deliver;
import dev.mullion.messaging.grpc.v1.GivenBack;
import dev.mullion.messaging.grpc.v1.Settle;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;

/** A message that the server delivered, until its outcome. */
class RemoteDelivery implements RawDelivery {
  private static final CompletionStage<Settlement> APPLIED =
      CompletableFuture.completedFuture(Settlement.APPLIED);

  final LinkSession session;
  final Deliver frame;
  final GrpcLink link;
  private final Message<byte[]> message;
  private final AtomicBoolean begun = new AtomicBoolean();
  private final AtomicBoolean settled = new AtomicBoolean();

  RemoteDelivery(GrpcLink link, LinkSession session, Deliver frame) {
    this.link = link;
    this.session = session;
    this.frame = frame;
    this.message = WireMessages.from(frame.getMessage());
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return frame.getAddress();
  }

  @Override
  public int failures() {
    return frame.getFailures();
  }

  @Override
  public int losses() {
    return frame.getLosses();
  }

  @Override
  public void begin() {
    if (frame.getDelivery() != 0 && !session.isOver() && begun.compareAndSet(false, true)) {
      session.beginLater(this);
    }
  }

  /** Returns whether the server has to be told that this was begun: it has no outcome yet. */
  boolean isUnsettled() {
    return !settled.get();
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    if (frame.getDelivery() == 0) {
      return APPLIED;
    }
    if (outcome instanceof Outcome.Acknowledge) {
      return settled.compareAndSet(false, true)
          ? session.acknowledge(frame.getDelivery())
          : APPLIED;
    }
    Settle.Builder settle = Settle.newBuilder();
    if (outcome instanceof Outcome.Redeliver failed) {
      settle.setFailed(WireErrors.bounded(failed.error()));
    } else if (outcome instanceof Outcome.GiveBack back) {
      settle.setGivenBack(GivenBack.newBuilder().setCounted(back.counted()));
    } else if (outcome instanceof Outcome.Bury bury) {
      bury(settle, bury);
    }
    return send(settle);
  }

  /** Whether the last delivery has failed, the server knows itself. */
  private static void bury(Settle.Builder settle, Outcome.Bury bury) {
    String error = WireErrors.bounded(bury.error());
    if (bury.reason() == DeadLetter.Reason.REJECTED) {
      settle.setRejected(error);
    } else if (bury.reason() == DeadLetter.Reason.UNDECODABLE) {
      settle.setUndecodable(error);
    } else {
      settle.setFailed(error);
    }
  }

  final CompletionStage<Settlement> send(Settle.Builder settle) {
    return settled.compareAndSet(false, true)
        ? session.settle(settle.setDelivery(frame.getDelivery()).build())
        : APPLIED;
  }

  @Override
  public CompletionStage<Void> extend(Duration time) {
    return frame.getDelivery() == 0
        ? CompletableFuture.completedFuture(null)
        : link.extend(this, time);
  }

  /** A request, which the server keeps until its reply. */
  static final class Asked extends RemoteDelivery implements RawDelivery.Request {
    private final long arrived = System.nanoTime();

    Asked(GrpcLink link, LinkSession session, Deliver frame) {
      super(link, session, frame);
    }

    @Override
    public Duration timeLeft() {
      return WireMessages.from(frame.getTimeLeft()).minusNanos(System.nanoTime() - arrived);
    }

    @Override
    public long id() {
      return frame.getDelivery();
    }

    /** Accepting it is only announced: when the connection is lost, no other replier gets it. */
    @Override
    public CompletionStage<Settlement> settle(Outcome outcome) {
      if (outcome instanceof Outcome.Acknowledge) {
        boolean lost = session.isOver();
        begin();
        return CompletableFuture.completedFuture(lost ? Settlement.LEASE_LOST : Settlement.APPLIED);
      }
      return super.settle(outcome);
    }

    @Override
    public CompletionStage<Void> reply(Reply reply) {
      Settle.Builder settle = Settle.newBuilder();
      switch (reply.status()) {
        case OK -> {
          var message = WireMessages.of(reply.message().orElseThrow());
          MessageTooLargeException tooLarge = link.connection().tooLarge(message);
          if (tooLarge != null) { // it would end the stream; an error follows in its place
            return CompletableFuture.failedFuture(tooLarge);
          }
          settle.setReply(message);
        }
        case FAILED -> settle.setFailed(WireErrors.bounded(reply.error()));
        case UNDECODABLE -> settle.setUndecodable(WireErrors.bounded(reply.error()));
        case LOST -> settle.setGivenBack(GivenBack.newBuilder().setCounted(true));
      }
      return send(settle).thenApply(settlement -> null);
    }
  }
}
