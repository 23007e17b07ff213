package dev.mullion.messaging.tck;

import dev.mullion.messaging.engine.Engine;

/** Opens the engine under test in another process. Implementations have a public constructor. */
@FunctionalInterface
public interface RemoteEngine {
  /**
   * Returns the engine. The process is killed or exits later; nobody closes the engine.
   *
   * @param address what {@link EngineUnderTest.MultiProcess#address} returned
   */
  Engine open(String address) throws Exception;
}
