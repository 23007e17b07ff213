package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Route;

/** A worker's subscription to a queue or group. */
interface JobSource extends Upkept {
  Route.Queue queue();
}
