package dev.mullion.messaging.kafka;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.DeploySuite;

class KafkaDeployTest extends DeploySuite {
  KafkaDeployTest() {
    super(Integer.getInteger("kafka.deploys", 3), 3);
  }

  @Override
  protected Engine engine() throws Exception {
    return KafkaUnderTest.Open.engine(KafkaUnderTest.node().servers());
  }
}
