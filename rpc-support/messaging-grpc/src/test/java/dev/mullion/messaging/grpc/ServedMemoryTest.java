package dev.mullion.messaging.grpc;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.MessagingTck;

/** The suite over an engine in memory behind a server. */
class ServedMemoryTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return ServedEngine.inMemory();
  }
}
