package dev.mullion.framing.tcp;

import io.netty.channel.EventLoop;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The parts that a client's {@link Attempt}s share.
 *
 * @param take takes over an open connection, on the event loop; returns whether it is wanted
 */
record DialParts(
    ClientSettings settings,
    ConnectionSettings connectionSettings,
    @Nullable BatchHandler batchHandler,
    Transport transport,
    TransportParts netty,
    EventLoop loop,
    LoopWatch watch,
    Predicate<FramedConnection> take) {}
