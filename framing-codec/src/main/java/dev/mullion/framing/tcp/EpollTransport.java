package dev.mullion.framing.tcp;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import org.jspecify.annotations.Nullable;

/** Separate because Netty's epoll classes may be absent. */
final class EpollTransport {
  private EpollTransport() {}

  static @Nullable Throwable whyUnavailable() {
    return Epoll.unavailabilityCause();
  }

  static TransportParts parts() {
    return new TransportParts(
        RegisteredEpoll.newFactory(),
        EpollServerSocketChannel.class,
        EpollSocketChannel.class,
        EpollServerDomainSocketChannel.class,
        EpollDomainSocketChannel.class,
        path -> new DomainSocketAddress(path.toFile()));
  }
}
