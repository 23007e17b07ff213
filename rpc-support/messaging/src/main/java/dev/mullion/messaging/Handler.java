package dev.mullion.messaging;

/**
 * Handles messages with plain blocking code, on a virtual thread on JDK 21 and newer, else on a
 * thread of a bounded pool. Returning acknowledges. In a queue, a message whose handler throws is
 * delivered again after the queue's delay, up to {@code maxDeliveries}, and then becomes a dead
 * letter; {@link RejectedMessageException} makes it one at once. Elsewhere a failure is counted and
 * reported to the listener, and the message is not delivered again.
 *
 * @param <T> the payload's type
 */
@FunctionalInterface
public interface Handler<T> {
  /** Handles one message. */
  void handle(Delivery<T> delivery) throws Exception;
}
