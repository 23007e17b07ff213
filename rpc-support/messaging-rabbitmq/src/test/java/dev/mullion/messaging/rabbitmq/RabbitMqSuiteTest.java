package dev.mullion.messaging.rabbitmq;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.MessagingTck;

/** The suite on a real broker. */
class RabbitMqSuiteTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return new RabbitMqUnderTest();
  }
}
