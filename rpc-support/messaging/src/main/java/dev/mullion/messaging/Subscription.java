package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.CompletionStage;

/**
 * A handler at work: the running handle of subscribe, pull, reply and receive. It comes back by
 * itself after a lost connection.
 */
public interface Subscription extends AutoCloseable {

  /** Returns the topic, queue, subject or signal. */
  String address();

  /** Returns a stage that completes when messages sent from then on are sure to arrive. */
  CompletionStage<Void> ready();

  /** Lets no further handler start until {@link #resume}; those under way go on. */
  void pause();

  /** Ends a pause. */
  void resume();

  /** Returns whether it is paused. */
  boolean isPaused();

  /** Returns the counts since the start. */
  SubscriptionCounters counters();

  /**
   * Stops: no new deliveries; handlers under way may finish until the timeout, and are then
   * interrupted; what was fetched and not handled is given back. A call from inside its own handler
   * does not wait for that handler.
   */
  StopReport stop(Duration timeout);

  /** Stops with the {@code stopTimeout} of the {@link MessagingBuilder}. */
  @Override
  void close();
}
