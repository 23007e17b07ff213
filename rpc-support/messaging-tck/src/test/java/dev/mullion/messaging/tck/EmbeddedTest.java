package dev.mullion.messaging.tck;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** The suite over the embedded engine in memory. */
@Execution(ExecutionMode.CONCURRENT)
class EmbeddedTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return new EmbeddedUnderTest();
  }
}
