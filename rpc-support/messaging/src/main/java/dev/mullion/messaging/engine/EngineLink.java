package dev.mullion.messaging.engine;

import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.Health;
import dev.mullion.messaging.Message;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.QueueStatus;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A running engine, as one {@code Messaging} sees it. Several threads may call all methods at once.
 * No method but {@link #prepare}, {@link #consume} and {@link #close} blocks, and these have
 * bounds. Stages may complete on any thread; {@code Messaging} runs no user code there.
 */
public interface EngineLink extends AutoCloseable {

  /**
   * Creates what a route needs (topics, queues, exchanges), or checks that it exists. A second call
   * with the same route has no effect.
   *
   * @param declaration whether a different declaration of the same address is an error, or replaced
   * @throws dev.mullion.messaging.ConflictingDeclarationException if the address is declared with
   *     other settings; the message has both values
   * @throws MessagingException if this engine cannot do what the route asks; nothing is emulated
   */
  void prepare(Route route, Declaration declaration) throws MessagingException;

  /**
   * Sends a message to a topic or queue. The stage completes as strongly as the pattern's {@link
   * dev.mullion.messaging.Guarantees} say.
   */
  CompletionStage<Void> send(Route route, Message<byte[]> message);

  /**
   * Sends a message as {@link #send} does, if the engine usually answers that within the call. Then
   * {@code Messaging} makes little of it: of a stage that is complete on return nothing is kept.
   *
   * @return null if nothing was done: then {@link #send} follows
   */
  default @Nullable CompletionStage<Void> sendNow(Route route, Message<byte[]> message) {
    return null;
  }

  /**
   * Sends a message at most once, without waiting for anything: no lock is taken that another
   * thread holds during I/O.
   *
   * @return false if the message is already known to be dropped
   */
  boolean trySend(Route.Signal signal, Message<byte[]> message);

  /**
   * Sends a request. The stage completes when the request is on its way, and fails if nobody
   * listens, where the engine knows. The reply arrives at {@link EngineEvents#replied}.
   *
   * @param id unique among the open requests of this link
   * @param timeout after this time the request is no longer delivered
   */
  CompletionStage<Void> request(
      Route.Subject subject, long id, Message<byte[]> message, Duration timeout);

  /** Withdraws a request that was cancelled; no effect if it was delivered already. */
  void cancelRequest(Route.Subject subject, long id);

  /**
   * Starts to consume, with no credit yet.
   *
   * @throws MessagingException if the engine cannot do what the settings ask
   */
  Source consume(Route route, ConsumerSettings settings, Sink sink) throws MessagingException;

  /**
   * Returns whether its sources implement {@link Source#poll}: then messages wait in the engine
   * until a subscription that is ready for several asks for them, with little credit besides.
   */
  default boolean polls() {
    return false;
  }

  /** Returns the dead letters of a queue or group. */
  DeadLetters deadLetters(Route.Queue queue);

  /** Returns the state of all declared queues and groups, those without consumers too. */
  CompletionStage<List<QueueStatus>> queues();

  /** Deletes a queue or group with its messages, dead letters and declaration. */
  CompletionStage<Void> delete(Route.Queue queue);

  /** Returns whether the engine can be reached now; does not block. */
  Health health();

  /** Waits for all outcomes to be applied, within the bound, and disconnects. */
  void close(Duration timeout);

  /** Closes with a bound of ten seconds. */
  @Override
  default void close() {
    close(Duration.ofSeconds(10));
  }

  /** What happens if an address is declared with other settings. */
  enum Declaration {
    /** The later declaration is rejected. */
    CHECK,
    /** The later declaration replaces the earlier one; waiting messages stay. */
    REPLACE
  }
}
