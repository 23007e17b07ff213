package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.Tls;
import dev.mullion.net.base.Check;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Ends a connection whose TLS handshake takes longer than {@code handshakeTimeout}. gRPC creates
 * the TLS handler of a connection itself, with a limit of 10 seconds; this timer is for shorter
 * limits.
 */
final class HandshakeTimer extends ChannelInboundHandlerAdapter {
  /** Netty's own limit. */
  private static final long OF_TRANSPORT = SECONDS.toNanos(10);

  private final long nanos;
  private final boolean ofClient;

  private HandshakeTimer(Tls tls) {
    nanos = nanos(tls);
    ofClient = tls.isForClient();
  }

  /** Returns how long a handshake may take, the transport's limit included. */
  static long nanos(@Nullable Tls tls) {
    return tls == null ? OF_TRANSPORT : Math.min(OF_TRANSPORT, Check.nanos(tls.handshakeTimeout()));
  }

  /** Adds a timer before a handler, if the limit is shorter than that of the transport. */
  static void addBefore(ChannelHandlerContext next, @Nullable Tls tls) {
    if (tls != null && nanos(tls) < OF_TRANSPORT) {
      next.pipeline().addBefore(next.name(), null, new HandshakeTimer(tls));
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    if (context.channel().isActive()) {
      start(context);
    }
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    start(context);
    context.fireChannelActive();
  }

  private void start(ChannelHandlerContext context) {
    Future<?> timer = context.executor().schedule(() -> end(context), nanos, NANOSECONDS);
    context.channel().closeFuture().addListener(closed -> timer.cancel(false));
  }

  private void end(ChannelHandlerContext context) {
    SslHandler handler = context.pipeline().get(SslHandler.class);
    if (handler == null || handler.handshakeFuture().isDone()) {
      return;
    }
    if (ofClient) {
      context
          .pipeline()
          .fireExceptionCaught(new SslHandshakeTimeoutException(
              "handshake not done within handshakeTimeout " + Duration.ofNanos(nanos)));
    }
    context.close();
  }
}
