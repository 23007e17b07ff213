package dev.mullion.messaging.tck;

import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.engine.Engine;

/** The example of the README, with one chapter only. */
class MyEngineTest extends FireAndForgetSuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    Engine engine = EmbeddedEngine.inMemory().start(); // yours
    Profile profile = Profile.defaults().withLoad(0.1);
    return EngineUnderTest.of(engine, profile);
  }
}
