package dev.mullion.messaging.tck;

import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/** The suite over the embedded engine behind delays, duplicates, reordering and cuts. */
@Execution(ExecutionMode.CONCURRENT)
class FaultyEmbeddedTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return FaultyUnderTest.withAllFaults();
  }
}
