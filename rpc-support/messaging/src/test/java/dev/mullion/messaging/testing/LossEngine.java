package dev.mullion.messaging.testing;

import dev.mullion.messaging.engine.Engine;

/**
 * The engine of a {@link LossSuite}, in its process and in those of the workers. Implementations
 * have a public constructor with the address.
 */
public interface LossEngine extends AutoCloseable {
  /** Returns the engine. */
  Engine engine();

  @Override
  default void close() {}

  /** Makes one of a class. */
  static LossEngine of(Class<? extends LossEngine> type, String address)
      throws ReflectiveOperationException {
    return type.getConstructor(String.class).newInstance(address);
  }
}
