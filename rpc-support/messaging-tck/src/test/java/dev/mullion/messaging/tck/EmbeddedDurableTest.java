package dev.mullion.messaging.tck;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** The suite over the embedded engine in a directory. */
@Execution(ExecutionMode.CONCURRENT)
class EmbeddedDurableTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return new EmbeddedDurableUnderTest();
  }
}
