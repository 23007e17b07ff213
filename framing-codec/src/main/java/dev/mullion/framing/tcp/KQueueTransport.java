package dev.mullion.framing.tcp;

import io.netty.channel.kqueue.KQueue;
import io.netty.channel.kqueue.KQueueDomainSocketChannel;
import io.netty.channel.kqueue.KQueueIoHandler;
import io.netty.channel.kqueue.KQueueServerDomainSocketChannel;
import io.netty.channel.kqueue.KQueueServerSocketChannel;
import io.netty.channel.kqueue.KQueueSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import org.jspecify.annotations.Nullable;

/** Separate because Netty's kqueue classes may be absent. */
final class KQueueTransport {
  private KQueueTransport() {}

  static @Nullable Throwable whyUnavailable() {
    return KQueue.unavailabilityCause();
  }

  static TransportParts parts() {
    return new TransportParts(
        KQueueIoHandler.newFactory(),
        KQueueServerSocketChannel.class,
        KQueueSocketChannel.class,
        KQueueServerDomainSocketChannel.class,
        KQueueDomainSocketChannel.class,
        path -> new DomainSocketAddress(path.toFile()));
  }
}
