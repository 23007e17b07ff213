package dev.mullion.messaging.tck;

import org.junit.jupiter.api.Nested;

/** The stress case alone, for as long as is wanted: {@code mvn verify} does not run it. */
class StressProof {
  @Nested
  class InMemory extends StressSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return new EmbeddedUnderTest();
    }
  }

  @Nested
  class Durable extends StressSuite {
    @Override
    protected EngineUnderTest startEngine() throws Exception {
      return new EmbeddedDurableUnderTest();
    }
  }
}
