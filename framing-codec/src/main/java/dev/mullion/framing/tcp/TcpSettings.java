package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameFormat;
import java.time.Duration;

/** What a server was told. */
record TcpSettings(
    String host,
    int port,
    FrameFormat format,
    Transport transport,
    int eventLoopThreads,
    int maxConnections,
    Duration idleTimeout,
    Duration closeTimeout) {}
