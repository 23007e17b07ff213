package dev.mullion.messaging.tck;

/** The suite over the embedded engine behind delays, duplicates, reordering and cuts. */
class FaultyEmbeddedTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return FaultyUnderTest.withAllFaults();
  }
}
