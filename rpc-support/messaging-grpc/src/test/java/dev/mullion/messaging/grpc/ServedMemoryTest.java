package dev.mullion.messaging.grpc;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.MessagingTck;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** The suite over an engine in memory behind a server. */
@Execution(ExecutionMode.CONCURRENT)
class ServedMemoryTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return ServedEngine.inMemory();
  }
}
