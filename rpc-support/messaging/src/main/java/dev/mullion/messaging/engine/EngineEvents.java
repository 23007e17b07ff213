package dev.mullion.messaging.engine;

import java.time.Duration;

/**
 * What an engine reports to its {@code Messaging}. The methods return quickly, do not block, and
 * may be called on any thread that holds no lock.
 */
public interface EngineEvents {

  /**
   * Reports the reply to a request of this link; a reply that nobody waits for is counted as late.
   */
  void replied(Reply reply);

  /** Reports that the connection was lost; the engine tries to restore it. */
  void connectionLost(String where, Throwable cause);

  /** Reports that the connection is back, and all subscriptions with it. */
  void connectionRestored(String where, Duration outage);

  /**
   * Reports signals that were dropped after {@link EngineLink#trySend} had returned true; an engine
   * calls this if it learns of them.
   */
  default void dropped(Route.Signal signal, long messages) {}
}
