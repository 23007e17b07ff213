package dev.mullion.messaging.engine;

import dev.mullion.messaging.Overflow;

/**
 * The settings of one consumer.
 *
 * @param concurrency how many messages may be handled at once: of those that are not settled, only
 *     this number of the oldest may have begun
 * @param maxInFlight the greatest credit that {@code Messaging} will leave open
 * @param buffer how many messages wait for credit, for subscribers of topics and receivers of
 *     signals; engines ignore it for queues and subjects
 * @param bufferBytes how many bytes of payload these have together at most; a message that is
 *     larger waits alone
 * @param overflow what happens when that buffer is full
 */
public record ConsumerSettings(
    int concurrency, int maxInFlight, int buffer, long bufferBytes, Overflow overflow) {
  /** The bytes of a buffer if nothing else is asked for: 64 MiB. */
  public static final long DEFAULT_BUFFER_BYTES = 64L << 20;

  /** Creates settings with a buffer of {@link #DEFAULT_BUFFER_BYTES}. */
  public ConsumerSettings(int concurrency, int maxInFlight, int buffer, Overflow overflow) {
    this(concurrency, maxInFlight, buffer, DEFAULT_BUFFER_BYTES, overflow);
  }
}
