package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;

/**
 * The open sockets of a server or a channel. HTTP/2 closes a connection only after it has written a
 * last frame, so a peer that does not read would keep it open. Any thread may call any method.
 */
final class OpenSockets {
  private final Set<Channel> open = ConcurrentHashMap.newKeySet();

  void add(Channel socket) {
    open.add(socket);
    socket.closeFuture().addListener(closed -> open.remove(socket));
  }

  /** Closes those that are still open after a time, whatever waits to be written. */
  void closeAfter(long nanos) {
    open.removeIf(each -> !schedule(each, nanos));
  }

  /** Returns false if the event loop has ended, and with it the socket. */
  private static boolean schedule(Channel socket, long nanos) {
    try {
      socket.eventLoop().schedule(() -> close(socket), nanos, NANOSECONDS);
      return true;
    } catch (RejectedExecutionException ended) {
      return false;
    }
  }

  private static void close(Channel socket) {
    ChannelHandlerContext outermost = socket.pipeline().firstContext();
    if (outermost != null) {
      // Past the handler of HTTP/2.
      outermost.close();
    }
  }
}
