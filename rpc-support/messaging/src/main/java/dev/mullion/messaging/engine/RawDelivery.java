package dev.mullion.messaging.engine;

import dev.mullion.messaging.Message;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * One message that was handed out. The engine keeps it for this subscription until {@link #settle},
 * however long that takes; only the loss of the connection takes it back.
 */
public interface RawDelivery {

  /** Returns the message, as it was sent. */
  Message<byte[]> message();

  /** Returns the topic, queue, subject or signal to which the message was sent. */
  String address();

  /**
   * Returns how many deliveries of this message failed: each ended with {@link Outcome.Redeliver}.
   */
  int failures();

  /**
   * Returns how many deliveries of this message ended without an outcome, since their process or
   * connection died. Such a message may have been the cause, so it is handled alone.
   */
  int losses();

  /**
   * Tells the engine that the handler is about to be called. An engine that can distinguish counts
   * only deliveries that began. Returns at once; no effect on other engines.
   */
  default void begin() {}

  /** Applies what became of the delivery. Only the first call has an effect. */
  CompletionStage<Settlement> settle(Outcome outcome);

  /** Extends an engine's own lease, where it has one. */
  CompletionStage<Void> extend(Duration time);

  /** A message that is delivered at most once, and without a lease: of a topic or a signal. */
  interface Once extends RawDelivery {
    @Override
    default int failures() {
      return 0;
    }

    @Override
    default int losses() {
      return 0;
    }

    @Override
    default CompletionStage<Void> extend(Duration time) {
      return CompletableFuture.completedStage(null);
    }
  }

  /** A request: it is acknowledged before the replier is called, and then has one reply. */
  interface Request extends Once {

    /** Returns how much of the caller's time is left; zero or less if it is over. */
    Duration timeLeft();

    /**
     * Sends the reply, or the error. A reply to a caller that is gone is no error. If it fails with
     * {@code MessageTooLargeException}, an error is sent instead.
     */
    CompletionStage<Void> reply(Reply reply);

    /** Returns the id that the reply carries back. */
    long id();
  }
}
