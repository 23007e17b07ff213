package dev.mullion.rpc;

import dev.mullion.net.base.DaemonThreads;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;

/**
 * The event loops of all unix-domain sockets, which use the JDK's sockets and need no native
 * library.
 */
final class UnixLoops {
  /** Created with the first socket; each thread starts with its first connection. */
  static final EventLoopGroup ALL = new MultiThreadIoEventLoopGroup(
      0, DaemonThreads.numbered("mullion-rpc-unix-"), NioIoHandler.newFactory());

  private UnixLoops() {}
}
