package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.DeploySuite;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(WithBroker.class)
class DeployTest extends DeploySuite {
  DeployTest() {
    super(50, 2);
  }

  @Override
  protected Engine engine() throws Exception {
    return RabbitMqUnderTest.engine(Broker.shared().port(), "deploy");
  }
}
