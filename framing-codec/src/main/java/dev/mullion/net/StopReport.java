package dev.mullion.net;

import java.time.Duration;

/**
 * What the stop of a server did with the work that was open: connections of a framed server, calls
 * of a gRPC server.
 *
 * <p>Calls that ended during a {@code shutdownDelay} are not counted, nor are those of health and
 * reflection. Bytes are counted for connections only.
 *
 * @param took how long the stop took, including the {@code shutdownDelay}
 * @param finished how many connections or calls ended by themselves: for a connection, everything
 *     received was handled and everything to be sent was sent
 * @param cut how many were ended by force at the deadline
 * @param bytesNotSent how many bytes were still to be sent on connections that were cut
 * @param bytesNotHandled how many received bytes the handlers of these connections did not take
 */
public record StopReport(
    Duration took, long finished, long cut, long bytesNotSent, long bytesNotHandled) {}
