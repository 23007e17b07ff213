package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Source;

/** A worker's subscription to a queue or group. */
interface JobSource extends Source {
  Route.Queue queue();

  /** Looks from time to time for what others have left; blocks. */
  default void lookAround() {}
}
