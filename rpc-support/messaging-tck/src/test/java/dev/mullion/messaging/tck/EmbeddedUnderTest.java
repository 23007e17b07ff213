package dev.mullion.messaging.tck;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Engine;
import org.opentest4j.AssertionFailedError;

/** The embedded engine in memory. It may skip only what would have to survive its own process. */
class EmbeddedUnderTest implements EngineUnderTest {
  private final EmbeddedBroker broker;

  EmbeddedUnderTest() throws MessagingException {
    broker = EmbeddedEngine.inMemory().start();
  }

  @Override
  public Engine engine() {
    return broker;
  }

  @Override
  public void skipping(String field, String reason) {
    mustSurviveOnly(field, reason);
  }

  static void mustSurviveOnly(String field, String reason) {
    if (!field.equals("durability")) {
      throw new AssertionFailedError("the embedded engine must not skip this: " + reason);
    }
  }

  @Override
  public void close() {
    broker.close();
  }
}
