package dev.mullion.messaging.grpc;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.StressSuite;

/** The stress case over a server, for as long as is wanted: {@code mvn verify} does not run it. */
class ServedStressProof extends StressSuite {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return ServedEngine.durable();
  }
}
