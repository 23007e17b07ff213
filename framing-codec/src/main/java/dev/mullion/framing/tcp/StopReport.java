package dev.mullion.framing.tcp;

import java.time.Duration;

/**
 * What a server's stop has done to the connections that were open.
 *
 * @param took how long it took
 * @param finished how many connections came to their end: what had come was handled, what was to be
 *     sent was sent
 * @param cut how many had to be closed by force at the deadline
 * @param bytesNotSent how many bytes those had still to send
 * @param bytesNotHandled how many bytes had come on those that their handlers did not take
 */
public record StopReport(
    Duration took, int finished, int cut, long bytesNotSent, long bytesNotHandled) {}
