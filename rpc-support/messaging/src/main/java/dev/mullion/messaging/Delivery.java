package dev.mullion.messaging;

import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletionStage;

/**
 * A message that is being handled. To return acknowledges it, to throw gives it back: there is no
 * acknowledgement to forget.
 *
 * @param <T> the payload's type
 */
public interface Delivery<T> {

  /** Returns the message. */
  Message<T> message();

  /** Returns the message's payload. */
  default T payload() {
    return message().payload();
  }

  /**
   * Returns the topic, queue, subject or signal to which the message was sent: with a wildcard, the
   * topic to which it was published.
   */
  String address();

  /**
   * Returns 1 at the first delivery. The engine keeps the count, so it survives the death of the
   * worker; it never falls below the number of failures.
   */
  int deliveryCount();

  /** Returns whether no further delivery follows if this one fails. */
  boolean isLast();

  /** Returns when the time for the handler ends; far in the future where it never does. */
  Instant deadline();

  /**
   * Sets the time for the handler anew, counted from now. The stage fails if the message was
   * already taken back, and where the engine cannot ({@link Guarantees#extendable}).
   */
  CompletionStage<Void> extend(Duration time);
}
