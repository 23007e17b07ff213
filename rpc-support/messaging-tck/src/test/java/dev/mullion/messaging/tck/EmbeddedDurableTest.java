package dev.mullion.messaging.tck;

/** The suite over the embedded engine in a directory. */
class EmbeddedDurableTest extends MessagingTck {
  @Override
  protected EngineUnderTest startEngine() throws Exception {
    return new EmbeddedDurableUnderTest();
  }
}
