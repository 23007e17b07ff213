package dev.mullion.rpc;

import dev.mullion.net.base.DaemonThreads;
import dev.mullion.net.base.EventLoops;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * The event loops of all unix-domain sockets, which use the JDK's sockets and need no native
 * library.
 */
final class UnixLoops {
  /** Created with the first socket; each thread starts with its first connection. */
  private static @Nullable EventLoopGroup all;

  private UnixLoops() {}

  /**
   * Returns the event loops.
   *
   * @throws IOException if they cannot be created, for instance without a free file descriptor; the
   *     next call tries again
   */
  static synchronized EventLoopGroup all() throws IOException {
    EventLoopGroup present = all;
    if (present == null) {
      present = EventLoops.create(
          "the event loops of unix-domain sockets",
          0,
          DaemonThreads.numbered("mullion-rpc-unix-"),
          NioIoHandler.newFactory());
      all = present;
    }
    return present;
  }
}
