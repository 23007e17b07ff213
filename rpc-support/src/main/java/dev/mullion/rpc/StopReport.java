package dev.mullion.rpc;

import java.time.Duration;

/**
 * What a server's stop has done to the calls that were open when it took no more: those that ended during
 * the {@code shutdownDelay} before that are not counted, nor are those of health and reflection.
 *
 * @param took how long it took, with the delay
 * @param finished how many calls came to their end
 * @param cut how many had to be cancelled at the deadline
 */
public record StopReport(Duration took, long finished, long cut) {}
