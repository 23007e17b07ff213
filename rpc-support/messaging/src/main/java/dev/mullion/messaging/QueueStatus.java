package dev.mullion.messaging;

import java.time.Duration;
import java.util.Optional;

/**
 * The state of a queue or group at one moment. A group with {@code consumers} at 0 and a growing
 * number of waiting messages is abandoned; {@link Messaging#delete} removes it.
 *
 * @param name the queue's name, or the group's
 * @param source the topic or pattern that feeds the group; empty for a queue
 * @param waiting messages that wait for a consumer
 * @param waitingBytes their payloads' size
 * @param delayed messages that failed and wait for their delay to pass
 * @param inFlight messages that were handed out and are not settled
 * @param deadLetters the number of dead letters
 * @param deadLettersDropped dead letters dropped since there were too many or they were too old,
 *     since the engine's start
 * @param dropped messages dropped since the queue was full, since the engine's start
 * @param expired messages whose time to live passed, since the engine's start
 * @param consumers the number of consumers
 * @param oldest how long the oldest waiting message has waited
 */
public record QueueStatus(
    String name,
    Optional<String> source,
    long waiting,
    long waitingBytes,
    long delayed,
    long inFlight,
    long deadLetters,
    long deadLettersDropped,
    long dropped,
    long expired,
    int consumers,
    Duration oldest) {}
