package dev.mullion.framing.tcp;

import io.netty.channel.ChannelOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A server's settings for its socket and its threads. */
record TcpSettings(
    String host,
    int port,
    @Nullable Path path,
    Transport transport,
    String threadName,
    int eventLoopThreads,
    int maxConnections,
    Map<ChannelOption<?>, Object> options,
    @Nullable TlsContext tls,
    Duration slowHandlerLimit) {}
