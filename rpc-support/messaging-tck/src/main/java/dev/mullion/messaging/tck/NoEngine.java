package dev.mullion.messaging.tck;

import dev.mullion.messaging.Guarantees;
import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import java.util.List;

/** What is under test before a test starts its own. */
final class NoEngine implements Engine {
  @Override
  public String name() {
    return "none";
  }

  @Override
  public List<Guarantees> guarantees() {
    return List.of();
  }

  @Override
  public EngineLink open(EngineContext context) {
    throw new IllegalStateException("the engine under test has not been started");
  }
}
