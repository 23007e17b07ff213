package dev.mullion.messaging.testing;

import dev.mullion.messaging.engine.EngineEvents;
import dev.mullion.messaging.engine.Reply;
import java.time.Duration;

/** The events of a link that a test only asks. */
public class UnheardEvents implements EngineEvents {
  /** Creates them. */
  public UnheardEvents() {}

  @Override
  public void replied(Reply reply) {}

  @Override
  public void connectionLost(String where, Throwable cause) {}

  @Override
  public void connectionRestored(String where, Duration outage) {}
}
