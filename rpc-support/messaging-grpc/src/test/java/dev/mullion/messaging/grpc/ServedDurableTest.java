package dev.mullion.messaging.grpc;

import dev.mullion.messaging.tck.EngineUnderTest;
import dev.mullion.messaging.tck.MessagingTck;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** The suite over an engine in a directory behind a server. */
@Execution(ExecutionMode.CONCURRENT)
class ServedDurableTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return ServedEngine.durable();
  }
}
