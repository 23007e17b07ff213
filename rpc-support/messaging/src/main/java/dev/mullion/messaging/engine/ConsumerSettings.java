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
 * @param overflow what happens when that buffer is full
 */
public record ConsumerSettings(int concurrency, int maxInFlight, int buffer, Overflow overflow) {}
