package dev.mullion.messaging;

import dev.mullion.messaging.engine.Engine;
import dev.mullion.messaging.engine.EngineContext;
import dev.mullion.messaging.engine.EngineLink;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeoutException;

/**
 * A running embedded engine, shared by each {@code Messaging} on it. Queues and their messages live
 * until it is closed; in a directory, longer.
 */
public final class EmbeddedBroker implements Engine, AutoCloseable {

  EmbeddedBroker() {}

  @Override
  public String name() {
    throw new UnsupportedOperationException();
  }

  @Override
  public List<Guarantees> guarantees() {
    throw new UnsupportedOperationException();
  }

  @Override
  public MessagingClock clock() {
    throw new UnsupportedOperationException();
  }

  @Override
  public EngineLink open(EngineContext context) throws MessagingException {
    throw new UnsupportedOperationException();
  }

  /**
   * Waits until no message waits for a consumer that is there, and none is being handled: what
   * waits for its delay, or for a consumer that is not there, does not count. For tests.
   *
   * @throws TimeoutException with what is left, if that takes longer
   */
  public void awaitIdle(Duration timeout) throws InterruptedException, TimeoutException {
    throw new UnsupportedOperationException();
  }

  /** Stops: what is accepted is on disk, in a directory; links that are open fail from then on. */
  @Override
  public void close() {
    throw new UnsupportedOperationException();
  }
}
