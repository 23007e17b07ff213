package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import java.lang.System.Logger.Level;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * One delivery that a client has, until its outcome: the server's part of the policy. The first
 * outcome reaches the engine; the client's death and the end of the time are outcomes too.
 */
final class Held {
  private static final CompletionStage<Settlement> LEASE_LOST =
      CompletableFuture.completedFuture(Settlement.LEASE_LOST);

  final long id;
  final ServedSubscription subscription;
  private final RawDelivery raw;

  /** These are guarded by this. */
  private boolean begun;

  private boolean ended;
  private long deadline;
  private @Nullable CompletionStage<Settlement> accepted;

  Held(long id, ServedSubscription subscription, RawDelivery raw) {
    this.id = id;
    this.subscription = subscription;
    this.raw = raw;
  }

  RawDelivery raw() {
    return raw;
  }

  /** Returns how many deliveries there were, with this one. */
  static int count(RawDelivery raw) {
    return raw.failures() + raw.losses() + 1;
  }

  /**
   * Starts the time of a handler; a request is accepted now. Returns whether this was the first.
   */
  boolean begin(long deadline) {
    synchronized (this) {
      if (ended || begun) {
        return false;
      }
      begun = true;
      this.deadline = deadline;
    }
    if (raw instanceof RawDelivery.Request) {
      accept();
    }
    return true;
  }

  synchronized boolean isBegun() {
    return begun;
  }

  synchronized boolean isEnded() {
    return ended;
  }

  /** Returns the end of its time, or empty if it has none. */
  synchronized @Nullable Long deadline() {
    return begun && !ended && subscription.queue() != null ? deadline : null;
  }

  /** Moves the end of its time; returns false if that is over. */
  synchronized boolean extend(long deadline) {
    if (ended) {
      return false;
    }
    begun = true;
    this.deadline = deadline;
    return true;
  }

  /** Applies an outcome, unless there was one. */
  CompletionStage<Settlement> settle(Outcome outcome) {
    return end() ? apply(outcome) : LEASE_LOST;
  }

  /** An engine that throws, which it must not, leaves the outcome unknown; others still end. */
  private CompletionStage<Settlement> apply(Outcome outcome) {
    try {
      return raw.settle(outcome);
    } catch (Throwable thrown) {
      Logs.LOG.log(
          Logs.Event.OUTCOME,
          Level.WARNING,
          null,
          () -> "the engine failed to settle a delivery from " + raw.address(),
          thrown);
      return CompletableFuture.failedFuture(thrown);
    }
  }

  /** Notes that there is an outcome; returns false if there was one. */
  private synchronized boolean end() {
    boolean first = !ended;
    ended = true;
    return first;
  }

  /**
   * Applies a failure. The engine is told of the beginning only now: its own marks are for handlers
   * in its process, and clients survive the death of the server.
   */
  CompletionStage<Settlement> failed(Route.Queue queue, String error) {
    int count = count(raw);
    begin();
    return settle(
        count >= queue.redelivery().maxDeliveries()
            ? new Outcome.Bury(DeadLetter.Reason.DELIVERY_LIMIT, error)
            : new Outcome.Redeliver(queue.redelivery().delayAfter(count), error));
  }

  private void begin() {
    try {
      raw.begin();
    } catch (Throwable thrown) { // its outcome follows all the same
      Logs.LOG.log(
          Logs.Event.OUTCOME,
          Level.WARNING,
          null,
          () -> "the engine failed to note the begin of a delivery from " + raw.address(),
          thrown);
    }
  }

  CompletionStage<Settlement> bury(DeadLetter.Reason reason, String error) {
    return settle(new Outcome.Bury(reason, WireErrors.bounded(error)));
  }

  /** Answers a request, if it was accepted and has no answer. */
  CompletionStage<Settlement> reply(Reply reply) {
    if (!end()) {
      return LEASE_LOST;
    }
    RawDelivery.Request request = (RawDelivery.Request) raw;
    return accept()
        .thenCompose(settlement -> settlement == Settlement.APPLIED
            ? send(request, reply).thenApply(sent -> settlement)
            : CompletableFuture.completedFuture(settlement));
  }

  /** Sends a reply; if the engine finds it too large, its caller is told so. */
  private static CompletionStage<Void> send(RawDelivery.Request request, Reply reply) {
    return request.reply(reply).exceptionallyCompose(error -> {
      Throwable cause = WireErrors.cause(error);
      boolean tells =
          reply.status() == Reply.Status.OK && cause instanceof MessageTooLargeException;
      return tells
          ? request.reply(
              Reply.error(reply.id(), Reply.Status.FAILED, WireErrors.bounded(cause.getMessage())))
          : CompletableFuture.failedFuture(error);
    });
  }

  private CompletionStage<Settlement> accept() {
    CompletableFuture<Settlement> accepting = new CompletableFuture<>();
    synchronized (this) {
      CompletionStage<Settlement> earlier = accepted;
      if (earlier != null) {
        return earlier;
      }
      accepted = accepting;
    }
    apply(new Outcome.Acknowledge()).whenComplete((settlement, error) -> {
      if (error == null) {
        accepting.complete(settlement);
      } else {
        accepting.completeExceptionally(error);
      }
    });
    return accepting;
  }

  /**
   * Gives it back. A request that may have been begun is not given to another replier: its caller
   * gets an error.
   *
   * @param counted whether the client may have begun with it
   */
  CompletionStage<Settlement> giveBack(boolean counted, String why) {
    if (raw instanceof RawDelivery.Request request && (counted || isBegun())) {
      return reply(Reply.error(request.id(), Reply.Status.LOST, why));
    }
    return settle(new Outcome.GiveBack(counted));
  }
}
