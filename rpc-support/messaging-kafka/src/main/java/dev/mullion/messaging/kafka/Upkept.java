package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Source;

/** A subscription that looks from time to time what has changed at the broker. */
interface Upkept extends Source {
  /** Looks; blocks. */
  void lookAround();
}
