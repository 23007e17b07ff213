package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Settlement;
import java.time.Instant;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** Passes outcomes and replies to the engine, and keeps track of its answers. */
final class Settling<T> {
  private static final CompletableFuture<Settlement> UNKNOWN =
      CompletableFuture.completedFuture(Settlement.UNKNOWN);

  private final RunningSubscription<T> owner;
  private final Inbox<T> inbox;
  private final ListenerCalls listener;
  private final MessagingClock clock;
  private final String name;

  Settling(
      RunningSubscription<T> owner, ListenerCalls listener, MessagingClock clock, String name) {
    this.owner = owner;
    this.inbox = owner.inbox();
    this.listener = listener;
    this.clock = clock;
    this.name = name;
  }

  /** Passes on what became of a delivery; called once, by the thread that ended it. */
  void apply(Fetched<T> delivery, Verdict verdict) {
    Outcome outcome = verdict.outcome();
    if (outcome != null) {
      settle(delivery, outcome);
    } else if (verdict.reply() != null) {
      reply(delivery, verdict.reply());
    }
    if (verdict.error() != null) {
      listener.handlerFailed(delivery, verdict.error());
    }
  }

  private void settle(Fetched<T> delivery, Outcome outcome) {
    CompletionStage<Settlement> answer = settle(delivery.raw, outcome);
    if (answer == Parcel.APPLIED && outcome instanceof Outcome.Acknowledge) {
      return; // the common case in the embedded engine
    }
    CompletableFuture<Settlement> done = Stages.ifDone(answer);
    if (done != null) {
      answered(delivery, outcome, valueOf(done));
      return;
    }
    inbox.unsettled.incrementAndGet();
    whenAnswered(answer, (settlement, error) -> {
      try {
        answered(delivery, outcome, error != null ? Settlement.UNKNOWN : settlement);
      } finally {
        owner.answered();
      }
    });
  }

  /** Calls back once, also if the engine's stage throws instead of doing so. */
  private static <V> void whenAnswered(
      CompletionStage<V> stage, BiConsumer<? super V, ? super @Nullable Throwable> callback) {
    AtomicBoolean called = new AtomicBoolean();
    try {
      stage.whenComplete((value, error) -> {
        if (called.compareAndSet(false, true)) {
          callback.accept(value, error);
        }
      });
    } catch (Throwable e) {
      LimitedLog.warn("settle", "a stage of the engine failed in whenComplete", e);
      if (called.compareAndSet(false, true)) {
        callback.accept(null, e);
      }
    }
  }

  private void answered(Fetched<T> delivery, Outcome outcome, @Nullable Settlement settlement) {
    if (settlement == Settlement.LEASE_LOST) {
      inbox.leaseLost();
    } else if (settlement == Settlement.APPLIED && outcome instanceof Outcome.Bury bury) {
      inbox.deadLettered();
      listener.deadLettered(new DeadLetter(
          delivery.raw.message(),
          name,
          bury.reason(),
          bury.error(),
          delivery.deliveryCount,
          Instant.ofEpochMilli(clock.currentTimeMillis())));
    }
  }

  private void reply(Fetched<T> delivery, Reply reply) {
    RawDelivery.Request request = (RawDelivery.Request) delivery.raw;
    CompletionStage<Void> sent;
    try {
      sent = requireNonNull(request.reply(reply), "RawDelivery.Request.reply returned null");
    } catch (Throwable e) { // the caller's timeout ends its request
      LimitedLog.warn("reply", "the engine failed in reply (subject " + name + ")", e);
      return;
    }
    CompletableFuture<Void> done = Stages.ifDone(sent);
    if (done != null && !done.isCompletedExceptionally()) {
      return;
    }
    inbox.unsettled.incrementAndGet();
    whenAnswered(sent, (nothing, error) -> {
      try {
        if (error != null) { // unless it was too large, the caller's timeout ends its request
          LimitedLog.warn("reply", "a reply was not sent (subject " + name + ")", error);
          tellTooLarge(delivery, reply, Answers.cause(error));
        }
      } finally {
        owner.answered();
      }
    });
  }

  /** Tells the caller at once that its reply is larger than the engine allows. */
  private void tellTooLarge(Fetched<T> delivery, Reply reply, Throwable cause) {
    if (reply.status() == Reply.Status.OK && cause instanceof MessageTooLargeException) {
      reply(delivery, Reply.error(reply.id(), Reply.Status.FAILED, Rules.text(cause)));
    }
  }

  /** Settles; an engine that throws, which it must not, leaves the outcome unknown. */
  static CompletionStage<Settlement> settle(RawDelivery raw, Outcome outcome) {
    try {
      return requireNonNull(raw.settle(outcome), "RawDelivery.settle returned null");
    } catch (Throwable e) {
      LimitedLog.warn("settle", "the engine failed in settle (" + raw.address() + ")", e);
      return UNKNOWN;
    }
  }

  static Settlement valueOf(CompletableFuture<Settlement> done) {
    return done.isCompletedExceptionally() ? Settlement.UNKNOWN : done.join();
  }
}
