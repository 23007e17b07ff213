package dev.mullion.framing.tcp;

import io.netty.channel.kqueue.KQueue;
import io.netty.channel.kqueue.KQueueIoHandler;
import io.netty.channel.kqueue.KQueueServerSocketChannel;
import org.jspecify.annotations.Nullable;

/** A class of its own, since Netty's kqueue classes may be absent. */
final class KQueueTransport {
  private KQueueTransport() {}

  static @Nullable Throwable whyUnavailable() {
    return KQueue.unavailabilityCause();
  }

  static Transport.Parts parts() {
    return new Transport.Parts(
        Transport.KQUEUE, KQueueIoHandler.newFactory(), KQueueServerSocketChannel.class);
  }
}
