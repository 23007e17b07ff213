package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.ManySubscriptionsSuite;

class KafkaManySubscriptionsTest extends ManySubscriptionsSuite {
  @Override
  protected Engine engine() throws Exception {
    return KafkaUnderTest.Open.engine(KafkaUnderTest.node().servers());
  }
}
