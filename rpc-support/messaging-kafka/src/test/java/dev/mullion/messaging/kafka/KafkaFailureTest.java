package dev.mullion.messaging.kafka;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.FailureSuite;
import org.junit.jupiter.api.parallel.ResourceLock;

@ResourceLock(providers = DisturbedNode.class)
class KafkaFailureTest extends FailureSuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return KafkaUnderTest.disturbed();
  }
}
