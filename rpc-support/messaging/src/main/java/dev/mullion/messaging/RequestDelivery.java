package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** One request, from the caller to the end of one delivery. Its subject guards its state. */
final class RequestDelivery extends Parcel implements RawDelivery.Request {
  final SubjectQueue subject;
  final EmbeddedLink caller;
  final long id;
  final long deadline;
  final long number;
  private final Message<byte[]> message;
  State state = State.WAITING; // guarded by the subject's lock

  @Nullable
  ReplierSource replier; // guarded by the subject's lock

  RequestDelivery(
      SubjectQueue subject,
      EmbeddedLink caller,
      long id,
      Message<byte[]> message,
      long deadline,
      long number) {
    this.subject = subject;
    this.caller = caller;
    this.id = id;
    this.message = message;
    this.deadline = deadline;
    this.number = number;
  }

  /** Returns this request for another replier; what the earlier one says has no effect. */
  RequestDelivery again() {
    return new RequestDelivery(subject, caller, id, message, deadline, number);
  }

  @Override
  public Duration timeLeft() {
    return deadline == Times.NEVER
        ? Duration.ofSeconds(Long.MAX_VALUE)
        : Duration.ofNanos(deadline - subject.clock().nanoTime());
  }

  @Override
  public CompletionStage<Settlement> settle(Outcome outcome) {
    return subject.settle(this, outcome) ? APPLIED : LEASE_LOST;
  }

  @Override
  List<RequestDelivery> deliveries() {
    return List.of(this);
  }

  @Override
  void takeBack() {
    subject.settle(this, new Outcome.GiveBack(false));
  }

  @Override
  public CompletionStage<Void> reply(Reply reply) {
    if (subject.end(this)) {
      caller.replied(reply);
    }
    return DONE;
  }

  @Override
  public Message<byte[]> message() {
    return message;
  }

  @Override
  public String address() {
    return subject.name();
  }

  @Override
  public long id() {
    return id;
  }

  /** Where a request is. */
  enum State {
    WAITING,
    HANDED_OUT,
    ACCEPTED,
    ENDED
  }
}
