package dev.mullion.messaging;

import java.time.Instant;

/**
 * A message that was not handled for good, and why.
 *
 * @param original the message as it was pushed: payload byte by byte, headers, id, key, content
 *     type
 * @param queue the queue's name, or the group's
 * @param reason why it is here
 * @param error the text of the last failure; empty if there was none
 * @param deliveryCount how many deliveries were counted
 * @param died when it became a dead letter
 */
public record DeadLetter(
    Message<byte[]> original,
    String queue,
    Reason reason,
    String error,
    int deliveryCount,
    Instant died) {

  /** Why a message became a dead letter. */
  public enum Reason {
    /** It failed {@code maxDeliveries} times. */
    DELIVERY_LIMIT,
    /** Its handler threw {@link RejectedMessageException}. */
    REJECTED,
    /** The codec could not decode it. */
    UNDECODABLE,
    /** Its time to live passed. */
    EXPIRED,
    /** The queue had no room. */
    OVERFLOW
  }
}
