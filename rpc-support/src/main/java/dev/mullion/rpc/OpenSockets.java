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
    for (Channel each : open) {
      try {
        each.eventLoop().schedule(() -> close(each), nanos, NANOSECONDS);
      } catch (RejectedExecutionException ended) {
        // The event loop has ended, and has closed its sockets.
        open.remove(each);
      }
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
