package dev.mullion.messaging;

import dev.mullion.messaging.MessagingObserver.Scope;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The way of a call through the user's code: accepted (requests), decoded, called, and ended by
 * the first of its handler, its time and a stop.
 */
final class Handling<T> {
  private final RunningSubscription<T> owner;
  private final SubscriptionPlan<T> plan;
  private final Rules<T> rules;
  private final Inbox<T> inbox;
  private final Settling<T> settling;
  private final Observers observers;

  Handling(RunningSubscription<T> owner, SubscriptionPlan<T> plan, Observers observers) {
    this.owner = owner;
    this.plan = plan;
    this.rules = plan.rules();
    this.inbox = owner.inbox();
    this.settling = owner.settling();
    this.observers = observers;
  }

  boolean isAsync() {
    return plan.async();
  }

  /** Begins the next message of a run, and with it its time; null if there is none. */
  @Nullable
  Fetched<T> next(Run<T> run) {
    Fetched<T> following = run.following();
    if (following != null) {
      owner.prepareTime(following);
    }
    return run.next();
  }

  /**
   * Handles a message of a run; returns true if its handler has returned, so that {@link #handled}
   * has to follow, and false if the message has ended.
   */
  boolean handleInRun(Fetched<T> message) {
    try {
      return prepare(message) && callInRun(message);
    } catch (Throwable e) { // a failure of our own, such as no memory left
      LimitedLog.warn("handler", "a message could not be handled (" + owner.address() + ")", e);
      ended(message, null, e);
      return false;
    }
  }

  private boolean callInRun(Fetched<T> message) {
    owner.startTime(message);
    Throwable thrown = null;
    Scope scope = open(message);
    try {
      message.raw.begin();
      plan.code().call(message);
    } catch (Throwable e) { // Errors too: the next message must be handled all the same
      thrown = e;
    } finally {
      scope.close(thrown);
    }
    if (thrown != null) {
      ended(message, null, thrown);
    }
    return thrown == null;
  }

  /** Ends a message of a run; {@code acknowledged} if the next one has begun by that. */
  void handled(Fetched<T> message, boolean acknowledged) {
    try {
      if (acknowledged) {
        settling.apply(message, Verdict.ACKNOWLEDGED);
      } else {
        ended(message, null, null);
      }
    } catch (Throwable e) { // a failure of our own, such as no memory left
      LimitedLog.warn("handler", "a message could not be ended (" + owner.address() + ")", e);
      ended(message, null, e); // unless it has ended
    }
  }

  /** Handles a call; returns false if it keeps its slot and is released later by another thread. */
  boolean handle(HandlerCall<T> call) {
    RawDelivery.Request request = rules.request(call.get(0));
    if (request != null && !call.accepted) {
      return accept(call, request);
    }
    return prepare(call) ? call(call) : true;
  }

  /** Acknowledges a request before its replier is called, so that there are never two answers. */
  private boolean accept(HandlerCall<T> call, RawDelivery.Request request) {
    Fetched<T> delivery = call.get(0);
    Verdict refused = rules.refused(delivery);
    if (refused != null) {
      conclude(delivery, refused);
      return true;
    }
    CompletionStage<Settlement> answer = Settling.settle(request, new Outcome.Acknowledge());
    CompletableFuture<Settlement> done = Stages.ifDone(answer);
    if (done != null) {
      return accepted(call, Settling.valueOf(done)) ? handle(call) : true;
    }
    answer.whenComplete((settlement, error) -> {
      if (error != null) {
        LimitedLog.warn("accept", "a request was not accepted (" + owner.address() + ")", error);
      }
      if (accepted(call, error != null ? Settlement.UNKNOWN : settlement)) {
        owner.resume(call);
      } else {
        owner.release(call);
      }
    });
    return false;
  }

  /** Returns whether the request is ours; otherwise it ends without an answer. */
  private boolean accepted(HandlerCall<T> call, Settlement settlement) {
    if (settlement == Settlement.APPLIED) {
      call.accepted = true;
      return true;
    }
    if (call.get(0).end(Ending.GIVEN_BACK) && settlement == Settlement.LEASE_LOST) {
      inbox.leaseLost();
    }
    return false;
  }

  /** Decodes; returns whether anything is left to call the handler with. */
  private boolean prepare(HandlerCall<T> call) {
    boolean several = beginSeveral(call);
    try {
      decodeAll(call);
    } finally {
      endSeveral(several);
    }
    if (call instanceof BatchCall<T> batch) {
      batch.prepared();
    }
    return call.isRunning();
  }

  private void decodeAll(HandlerCall<T> call) {
    for (int i = 0; i < call.size(); i++) {
      Fetched<T> delivery = call.get(i);
      Verdict refused = call.accepted ? null : rules.refused(delivery);
      if (refused != null) {
        conclude(delivery, refused);
      } else {
        decode(delivery);
      }
    }
  }

  private void decode(Fetched<T> delivery) {
    Message<byte[]> raw = delivery.raw.message();
    try {
      T payload = plan.codec().decode(raw.payload(), raw.contentType().orElse(""));
      if (payload == null) {
        throw new UndecodableMessageException("the codec returned null");
      }
      delivery.decoded(payload);
    } catch (Throwable e) { // whatever a codec throws
      conclude(delivery, rules.undecodable(delivery, e));
    }
  }

  private boolean call(HandlerCall<T> call) {
    owner.startTime(call);
    Throwable thrown = null;
    CompletionStage<?> stage = null;
    Scope scope = open(call);
    try {
      begin(call);
      stage = plan.code().call(call);
    } catch (Throwable e) { // Errors too: the next message must be handled all the same
      thrown = e;
    } finally {
      scope.close(thrown);
    }
    if (thrown != null || stage == null) {
      ended(call, null, thrown);
      return true;
    }
    return awaited(call, stage);
  }

  private void begin(HandlerCall<T> call) {
    for (int i = 0; i < call.size(); i++) {
      if (call.get(i).isRunning()) {
        call.get(i).raw.begin();
      }
    }
  }

  /** Opens the observers' scope; in a batch one for each message, closed in reverse order. */
  private Scope open(HandlerCall<T> call) {
    if (observers.areNone()) {
      return Observers.NONE;
    }
    Scope scope = null;
    for (int i = 0; i < call.size(); i++) {
      Fetched<T> delivery = call.get(i);
      if (delivery.isRunning()) {
        Scope outer = scope;
        Scope inner = observers.handling(delivery.address(), delivery.message());
        scope = outer == null
            ? inner
            : error -> {
              inner.close(error);
              outer.close(error);
            };
      }
    }
    return scope == null ? Observers.NONE : scope;
  }

  private boolean awaited(HandlerCall<T> call, CompletionStage<?> stage) {
    try {
      CompletableFuture<?> done = Stages.ifDone(stage);
      if (done != null) {
        return returned(call, done);
      }
      stage.whenComplete((value, error) -> {
        try {
          ended(call, value, error);
        } finally {
          owner.release(call);
        }
      });
    } catch (Throwable e) { // a stage of the user's own
      ended(call, null, e);
      owner.release(call);
    }
    return false;
  }

  private boolean returned(HandlerCall<T> call, CompletableFuture<?> done) {
    Object value = null;
    Throwable thrown = null;
    try {
      value = done.join();
    } catch (Throwable e) { // what the stage failed with
      thrown = e;
    }
    ended(call, value, thrown);
    return true;
  }

  /** Ends the messages of a call by what its handler did, unless they were cut off before. */
  void ended(HandlerCall<T> call, @Nullable Object value, @Nullable Throwable thrown) {
    boolean several = beginSeveral(call);
    try {
      endAll(call, value, thrown);
    } finally {
      endSeveral(several);
    }
  }

  /**
   * Lets no stop overlook what is settled here: while one of a batch ends, others may be cut
   * off, and then its slot no longer stands for it.
   */
  private boolean beginSeveral(HandlerCall<T> call) {
    boolean several = call.size() > 1;
    if (several) {
      inbox.unsettled.incrementAndGet();
    }
    return several;
  }

  private void endSeveral(boolean several) {
    if (several) {
      owner.answered();
    }
  }

  private void endAll(HandlerCall<T> call, @Nullable Object value, @Nullable Throwable thrown) {
    boolean late = false;
    Throwable cause = thrown == null ? null : Answers.cause(thrown);
    for (int i = 0; i < call.size(); i++) {
      Fetched<T> delivery = call.get(i);
      if (delivery.isRunning()) {
        Throwable error = call.errorOf(delivery, cause);
        conclude(
            delivery,
            error == null ? rules.handled(delivery, value) : rules.failed(delivery, error));
      }
      late |= delivery.isCut();
    }
    if (late && inbox.wasInterruptedHere(call)) {
      Thread.interrupted(); // meant for this call, and not for the next one
    }
  }

  private void conclude(Fetched<T> delivery, Verdict verdict) {
    if (delivery.end(verdict.ending())) {
      settling.apply(delivery, verdict);
    }
  }
}
