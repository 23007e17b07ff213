package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.testing.ManySubscriptionsSuite;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(WithBroker.class)
class ManySubscriptionsTest extends ManySubscriptionsSuite {
  @Override
  protected Engine engine() throws Exception {
    return RabbitMqUnderTest.engine(Broker.shared().port(), "many");
  }
}
