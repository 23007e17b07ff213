package dev.mullion.messaging.kafka;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.QueueSuite;

class KafkaQueueTest extends QueueSuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return KafkaUnderTest.get();
  }
}
