package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.Channel;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Settlement;
import java.util.concurrent.CompletionStage;

/** What a broker has handed out and waits for a settlement of. */
interface Fetched extends RawDelivery {

  /** Returns the session that was handed it. */
  Session session();

  /** Returns the channel that was handed it. */
  Channel channel();

  /** Returns whether it is still held here; if not, the broker has it again. */
  default boolean isHeld() {
    return !session().isOver() && channel().isOpen();
  }

  /** Settles it and returns true if it must not be handed on. */
  default boolean refuse() {
    return false;
  }

  /** Puts it back, for any consumer. */
  CompletionStage<Settlement> giveBack();

  /** Forgets it, since the broker has it again. */
  default void forget() {}
}
