package dev.mullion.messaging.kafka;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.OutageSuite;
import org.junit.jupiter.api.parallel.ResourceLock;

@ResourceLock(providers = DisturbedNode.class)
class KafkaOutageTest extends OutageSuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return KafkaUnderTest.disturbed();
  }
}
