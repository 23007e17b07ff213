package dev.mullion.messaging.rabbitmq;

import java.time.Duration;

/** One node, which is killed and started again. */
class LossProof extends BrokerLossSuite {
  LossProof() {
    super(Duration.ofMinutes(2));
  }
}
