package dev.mullion.rpc;

import java.time.Duration;

/**
 * What a server's stop has done to the calls that were open. Calls of health and reflection are not
 * counted.
 *
 * @param took how long it took
 * @param finished how many calls came to their end
 * @param cut how many had to be cancelled at the deadline
 */
public record StopReport(Duration took, long finished, long cut) {}
