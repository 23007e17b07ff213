package dev.mullion.messaging;

import dev.mullion.messaging.engine.HandlerLostException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Reply.Status;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** Requests: each has one answer, a reply or an error. */
final class ReplyRules<Q, R> extends Rules<Q> {
  private final Subject<Q, R> subject;
  private final boolean whole;
  private final Outgoing outgoing;

  /**
   * Creates the rules.
   *
   * @param whole whether the replier returns whole messages, and not payloads
   */
  ReplyRules(Subject<Q, R> subject, boolean whole, Outgoing outgoing) {
    this.subject = subject;
    this.whole = whole;
    this.outgoing = outgoing;
  }

  @Override
  RawDelivery.Request request(Fetched<Q> delivery) {
    return (RawDelivery.Request) delivery.raw;
  }

  @Override
  @Nullable
  Verdict refused(Fetched<Q> delivery) {
    if (request(delivery).timeLeft().compareTo(Duration.ZERO) > 0) {
      return null;
    }
    return Verdict.of(Ending.TIMED_OUT, new Outcome.Acknowledge(), null);
  }

  @Override
  Verdict undecodable(Fetched<Q> delivery, Throwable error) {
    return error(delivery, Ending.UNDECODABLE, Status.UNDECODABLE, error);
  }

  @Override
  Verdict handled(Fetched<Q> delivery, @Nullable Object value) {
    try {
      return Verdict.of(
          Ending.ACKNOWLEDGED, Reply.of(request(delivery).id(), encode(delivery, value)), null);
    } catch (Throwable e) { // the user's codec, or a reply that cannot be sent
      return failed(delivery, e);
    }
  }

  @Override
  Verdict failed(Fetched<Q> delivery, Throwable error) {
    if (error instanceof RejectedMessageException) {
      return error(delivery, Ending.REJECTED, Status.FAILED, error);
    }
    if (error instanceof UndecodableMessageException) {
      return undecodable(delivery, error);
    }
    if (error instanceof HandlerLostException) {
      return error(delivery, Ending.FAILED, Status.LOST, error);
    }
    return error(delivery, Ending.FAILED, Status.FAILED, error);
  }

  @Override
  Verdict cut(Fetched<Q> delivery, Ending ending, Throwable error) {
    return error(delivery, ending, Status.LOST, error);
  }

  private Verdict error(Fetched<Q> delivery, Ending ending, Status status, Throwable error) {
    return Verdict.of(ending, Reply.error(request(delivery).id(), status, text(error)), error);
  }

  @SuppressWarnings("unchecked")
  private Message<byte[]> encode(Fetched<Q> delivery, @Nullable Object value)
      throws MessageTooLargeException {
    if (value == null) {
      throw new NullPointerException("the replier of " + subject.name() + " returned null");
    }
    Message<R> reply = whole ? (Message<R>) value : Message.of((R) value);
    Outgoing.check(reply);
    Message<byte[]> request = delivery.raw.message();
    if (reply.correlationId().isEmpty()) {
      reply = reply.withCorrelationId(request.correlationId().orElseGet(request::id));
    }
    return outgoing.encodeReply(subject.name(), subject.replyCodec(), request, reply);
  }
}
