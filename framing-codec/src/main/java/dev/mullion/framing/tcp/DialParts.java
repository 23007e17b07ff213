package dev.mullion.framing.tcp;

import io.netty.channel.EventLoop;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What each {@link Attempt} of a client to connect is made of.
 *
 * @param take takes over a connection that is there, on the event loop; returns whether it is
 *     wanted
 */
record DialParts(
    ClientSettings settings,
    ConnectionSettings connectionSettings,
    @Nullable BatchHandler batchHandler,
    Transport.Parts transport,
    EventLoop loop,
    LoopWatch watch,
    Predicate<FramedConnection> take) {}
