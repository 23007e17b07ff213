package dev.mullion.framing.tcp;

import io.netty.channel.Channel;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.ServerChannel;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.util.function.Function;

/** The parts of Netty that a {@link Transport} consists of. */
record TransportParts(
    IoHandlerFactory ioHandlers,
    Class<? extends ServerChannel> serverChannel,
    Class<? extends Channel> channel,
    Class<? extends ServerChannel> unixServerChannel,
    Class<? extends Channel> unixChannel,
    Function<Path, SocketAddress> unixAddresses) {
  /** Returns the address of a unix-domain socket, of the type that these channels accept. */
  SocketAddress unixAddress(Path path) {
    return unixAddresses.apply(path);
  }
}
