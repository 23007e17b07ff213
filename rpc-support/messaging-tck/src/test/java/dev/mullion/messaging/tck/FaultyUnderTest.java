package dev.mullion.messaging.tck;

import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Engine;
import java.io.IOException;

/** The embedded engine in memory behind faults. */
final class FaultyUnderTest implements EngineUnderTest.Cuttable {
  private final FaultyEngine engine;

  FaultyUnderTest(FaultyEngine engine) {
    this.engine = engine;
  }

  /** Returns one with all faults, stronger in the long form. */
  static FaultyUnderTest withAllFaults() throws MessagingException {
    boolean strong = LongForms.on();
    return new FaultyUnderTest(FaultyEngine.over(EmbeddedEngine.inMemory().start())
        .seed(LongForms.seed())
        .delays(strong ? 0.1 : 0.02)
        .duplicates(strong ? 0.1 : 0.03)
        .reorders(strong ? 0.1 : 0.03)
        .cuts(strong ? 0.2 : 0.1)
        .build());
  }

  @Override
  public Engine engine() {
    return engine;
  }

  @Override
  public Profile profile() {
    return engine.profile(Profile.defaults());
  }

  @Override
  public void cut() {
    engine.cut();
  }

  @Override
  public void restore() throws Exception {
    engine.restore();
  }

  @Override
  public void close() throws IOException {
    engine.close();
  }
}
