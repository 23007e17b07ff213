package dev.mullion.messaging;

import java.util.concurrent.CompletionStage;

/**
 * Handles messages without blocking: the message is acknowledged when the stage completes, and has
 * failed when the stage fails or the method throws. Sends from inside never wait for room.
 *
 * @param <T> the payload's type
 */
@FunctionalInterface
public interface AsyncHandler<T> {
  /** Begins to handle one message. */
  CompletionStage<?> handle(Delivery<T> delivery);
}
