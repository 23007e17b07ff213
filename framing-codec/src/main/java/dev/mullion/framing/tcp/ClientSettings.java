package dev.mullion.framing.tcp;

import io.netty.channel.ChannelOption;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A client's settings for its socket and its requests. */
record ClientSettings(
    String host,
    int port,
    @Nullable Path path,
    NameLookup lookup,
    @Nullable SocketAddress localAddress,
    Transport transport,
    Map<ChannelOption<?>, Object> options,
    @Nullable TlsContext tls,
    long connectNanos,
    int maxRequestsInFlight,
    Reconnect reconnect,
    long slowHandlerNanos,
    Consumer<FramedConnection> onConnected) {
  /** Returns the address that a client connects to: host and port, or a path. */
  String target() {
    return path == null ? host + ":" + port : path.toString();
  }
}
