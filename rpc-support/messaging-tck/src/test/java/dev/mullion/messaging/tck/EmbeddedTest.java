package dev.mullion.messaging.tck;

/** The suite over the embedded engine in memory. */
class EmbeddedTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return new EmbeddedUnderTest();
  }
}
