package dev.mullion.messaging.engine;

import java.time.Duration;
import java.util.concurrent.CompletionStage;

/** The engine's side of one subscription. Several threads may call all methods at once. */
public interface Source extends AutoCloseable {

  /**
   * Allows that many more deliveries. This is the only way to get any, so a slow handler is never
   * flooded. An engine may deliver inside this call.
   */
  void request(int deliveries);

  /**
   * Asks for that many deliveries of messages that wait already. They are delivered inside this
   * call and use up credit if there is some; what there is too little of is not owed. Called only
   * if {@link EngineLink#polls} says so.
   */
  default void poll(int deliveries) {
    throw new UnsupportedOperationException("poll");
  }

  /** Returns a stage that completes when messages sent from then on are sure to arrive. */
  CompletionStage<Void> ready();

  /**
   * Returns what a live subscription has waiting in the engine for credit; {@link Buffer#EMPTY} too
   * if the engine does not know. For subscribers whose whole buffer is in the engine this is the
   * only way to notice that they are slow: it is asked once a second while their handlers run, by a
   * timer, so it must not block.
   */
  default Buffer buffer() {
    return Buffer.EMPTY;
  }

  /**
   * Stops deliveries: none begins after this call has returned. Those handed out can still be
   * settled until {@link #close}.
   */
  void cancel();

  /** Ends the subscription; messages that are not settled are given back. */
  @Override
  void close();

  /**
   * What waits for credit.
   *
   * @param oldest how long the oldest has waited, known to about a second
   */
  record Buffer(int messages, Duration oldest) {
    /** Nothing, as far as the engine knows. */
    public static final Buffer EMPTY = new Buffer(0, Duration.ZERO);
  }
}
