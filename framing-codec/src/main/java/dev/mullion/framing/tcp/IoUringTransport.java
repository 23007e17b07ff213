package dev.mullion.framing.tcp;

import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringDomainSocketChannel;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringServerDomainSocketChannel;
import io.netty.channel.uring.IoUringServerSocketChannel;
import io.netty.channel.uring.IoUringSocketChannel;
import org.jspecify.annotations.Nullable;

/** Separate because Netty's io_uring classes may be absent. */
final class IoUringTransport {
  private IoUringTransport() {}

  static @Nullable Throwable whyUnavailable() {
    return IoUring.unavailabilityCause();
  }

  static TransportParts parts() {
    return new TransportParts(
        IoUringIoHandler.newFactory(),
        IoUringServerSocketChannel.class,
        IoUringSocketChannel.class,
        IoUringServerDomainSocketChannel.class,
        IoUringDomainSocketChannel.class,
        path -> new DomainSocketAddress(path.toFile()));
  }
}
