package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.MessagingTck;
import org.junit.jupiter.api.extension.ExtendWith;

/** The suite on a real broker. */
@ExtendWith(WithBroker.class)
class RabbitMqSuiteTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return new RabbitMqUnderTest();
  }
}
