package dev.mullion.messaging;

import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The checked settings of one subscription.
 *
 * @param route where it consumes
 * @param codec decodes its payloads
 * @param rules what becomes of its messages
 * @param code calls the user's handler
 * @param async whether that handler is asynchronous
 * @param batches whether its handler takes batches
 * @param concurrency how many handlers may run at once
 * @param maxBatch how many messages a handler may get at once
 * @param prefetch how many messages are fetched ahead of the handlers
 * @param buffer how many wait in the engine, for live subscriptions
 * @param bufferBytes how many bytes these may have
 * @param overflow what happens when they are too many
 * @param handlerTimeout how long a handler may take; null for no limit
 * @param extendable whether the engine can extend that time
 * @param givesBackStuck whether those that cannot start go back, so that others can have them
 */
record SubscriptionPlan<T>(
    Route route,
    MessageCodec<T> codec,
    Rules<T> rules,
    SubscriptionPlan.UserCode<T> code,
    boolean async,
    boolean batches,
    int concurrency,
    int maxBatch,
    int prefetch,
    int buffer,
    long bufferBytes,
    Overflow overflow,
    @Nullable Duration handlerTimeout,
    boolean extendable,
    boolean givesBackStuck) {
  static final int MAX_CONCURRENCY = 100_000;
  static final int MAX_IN_FLIGHT = 1_000_000;

  /** Returns how many messages may be handled at once. */
  int maxHandled() {
    return concurrency * maxBatch;
  }

  /** Returns how many messages may be fetched and not settled. */
  int maxInFlight() {
    return maxHandled() + prefetch;
  }

  /** Returns whether this takes part live: topics and signals, which repeat nothing. */
  boolean isLive() {
    return route instanceof Route.Topic || route instanceof Route.Signal;
  }

  /** Returns whether messages of a key are handled one at a time; queues leave it to the engine. */
  boolean keepsKeyOrder() {
    return isLive() && concurrency > 1;
  }

  /**
   * Returns whether a runner takes several messages at once: nobody else could handle them, and
   * each call ends when the handler returns.
   */
  boolean takesSeveral() {
    return prefetch > 1
        && concurrency == 1
        && !async
        && !batches
        && !(route instanceof Route.Subject);
  }

  /** Calls the user's handler. */
  @FunctionalInterface
  interface UserCode<T> {
    /**
     * Calls it.
     *
     * @return null if it has returned and succeeded, else the stage or completed result
     */
    @Nullable
    CompletionStage<?> call(HandlerCall<T> call) throws Exception;

    static <T> UserCode<T> of(Handler<T> handler) {
      return call -> {
        handler.handle(call.get(0));
        return null;
      };
    }

    static <T> UserCode<T> ofAsync(AsyncHandler<T> handler) {
      return call -> checked(handler.handle(call.get(0)), "the handler");
    }

    /** Returns the stage; a handler that returns none has failed. */
    static CompletionStage<?> checked(@Nullable CompletionStage<?> stage, String whose) {
      if (stage == null) {
        throw new NullPointerException(whose + " returned no stage");
      }
      return stage;
    }
  }
}
