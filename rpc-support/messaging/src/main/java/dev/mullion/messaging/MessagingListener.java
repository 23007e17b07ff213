package dev.mullion.messaging;

import java.time.Duration;

/**
 * Notified of events that only counters would show otherwise. The methods are called one at a time,
 * on a thread of their own, and do nothing by default; what they throw is counted and logged.
 * Events that come faster than the listener takes them are merged or left out, and counted.
 */
public interface MessagingListener {

  /** Called when messages were dropped, at most once a second for each address. */
  default void dropped(String address, Overflow policy, long sinceLastTime) {}

  /**
   * Called when the oldest message in a subscriber's buffer has waited for more than ten seconds.
   * The buffer of a subscriber with {@code DROP_OLDEST} and fewer than 1,024 messages is all in the
   * engine, and is seen only if the engine tells: the embedded one does, over gRPC only its drops
   * are reported.
   */
  default void slowConsumer(String address, int buffered, Duration oldest) {}

  /** Called when a handler failed or did not return in time. */
  default void handlerFailed(Delivery<?> delivery, Throwable error) {}

  /** Called when a message handled here became a dead letter. */
  default void deadLettered(DeadLetter letter) {}

  /** Called when the connection to the engine was lost; it is being restored. */
  default void connectionLost(String where, Throwable cause) {}

  /** Called when the connection and all subscriptions are back. */
  default void connectionRestored(String where, Duration outage) {}
}
