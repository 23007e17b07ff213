package dev.mullion.messaging.engine;

import dev.mullion.messaging.MessagingException;
import java.util.List;

/**
 * The receiving side of one subscription, implemented by {@code Messaging}. The methods return
 * quickly and do not block. An engine calls them under no lock.
 */
public interface Sink {

  /** Takes one message against the credit that was given. Calls may overlap. */
  void deliver(RawDelivery delivery);

  /** Takes several messages in their order, as {@link #deliver(RawDelivery)} takes one. */
  default void deliver(List<? extends RawDelivery> deliveries) {
    deliveries.forEach(this::deliver);
  }

  /**
   * Returns whether a message that was delivered here is not settled yet. An engine in the same
   * process may ask this to know whether there is anything left to do.
   */
  default boolean isBusy() {
    return false;
  }

  /** Reports messages that were dropped since this subscription had no room for them. */
  void dropped(long messages);

  /** Reports the end of the source. A lost connection that is being restored is not an end. */
  void failed(MessagingException cause);
}
