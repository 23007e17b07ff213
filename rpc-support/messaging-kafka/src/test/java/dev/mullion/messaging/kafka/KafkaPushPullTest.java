package dev.mullion.messaging.kafka;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.PushPullSuite;

class KafkaPushPullTest extends PushPullSuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return KafkaUnderTest.get();
  }
}
