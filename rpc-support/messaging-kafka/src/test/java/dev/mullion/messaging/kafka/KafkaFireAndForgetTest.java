package dev.mullion.messaging.kafka;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.FireAndForgetSuite;
import org.junit.jupiter.api.parallel.ResourceLock;

@ResourceLock(providers = DisturbedNode.class)
class KafkaFireAndForgetTest extends FireAndForgetSuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return KafkaUnderTest.disturbed();
  }
}
