package dev.mullion.messaging.kafka;

import dev.mullion.messaging.tck.RedeliverySuite;
import dev.mullion.messaging.tck.EngineUnderTest;

class KafkaRedeliveryTest extends RedeliverySuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return KafkaUnderTest.get();
  }
}
