package dev.mullion.messaging;

import java.time.Duration;

/**
 * The result of a stop. Each message that was fetched is in exactly one of the counts.
 *
 * @param took how long the stop took
 * @param finished the number of handlers under way at the stop that returned or failed in time
 * @param givenBack the number of messages that were fetched, not handled and given back
 * @param interrupted the number of handlers that were interrupted at the deadline; their messages
 *     are delivered again
 */
public record StopReport(Duration took, long finished, long givenBack, long interrupted) {}
