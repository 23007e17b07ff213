package dev.mullion.framing.tcp;

import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringServerSocketChannel;
import org.jspecify.annotations.Nullable;

/** A class of its own, since Netty's io_uring classes may be absent. */
final class IoUringTransport {
  private IoUringTransport() {}

  static @Nullable Throwable whyUnavailable() {
    return IoUring.unavailabilityCause();
  }

  static Transport.Parts parts() {
    return new Transport.Parts(
        Transport.IO_URING, IoUringIoHandler.newFactory(), IoUringServerSocketChannel.class);
  }
}
