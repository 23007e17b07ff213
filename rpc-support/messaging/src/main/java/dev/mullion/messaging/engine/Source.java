package dev.mullion.messaging.engine;

import java.util.concurrent.CompletionStage;

/** The engine's side of one subscription. Several threads may call all methods at once. */
public interface Source extends AutoCloseable {

  /**
   * Allows that many more deliveries. This is the only way to get any, so a slow handler is never
   * flooded. An engine may deliver inside this call.
   */
  void request(int deliveries);

  /** Returns a stage that completes when messages sent from then on are sure to arrive. */
  CompletionStage<Void> ready();

  /**
   * Stops deliveries: none begins after this call has returned. Those handed out can still be
   * settled until {@link #close}.
   */
  void cancel();

  /** Ends the subscription; messages that are not settled are given back. */
  @Override
  void close();
}
