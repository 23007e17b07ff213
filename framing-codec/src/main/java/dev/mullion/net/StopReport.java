package dev.mullion.net;

import java.time.Duration;

/**
 * The result of a server's stop: how it ended the open connections of a framed server, or the open
 * calls of a gRPC server.
 *
 * <p>Calls that ended during a {@code shutdownDelay} and calls of the health and reflection
 * services are not counted. Bytes are counted only for connections.
 *
 * @param took how long the stop took, including the {@code shutdownDelay}
 * @param finished the number of connections or calls that completed; for a connection, all received
 *     frames were handled and all frames to be sent were sent
 * @param cut the number of connections or calls that were cut at the deadline
 * @param bytesNotSent the number of unsent bytes of the connections that were cut
 * @param bytesNotHandled the number of received bytes of these connections that their handlers did
 *     not read
 */
public record StopReport(
    Duration took, long finished, long cut, long bytesNotSent, long bytesNotHandled) {}
