package dev.mullion.framing.tcp;

import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.socket.ChannelInputShutdownEvent;

/**
 * Reports the end of a peer's side where Netty would close the whole connection and lose the
 * replies: unix-domain sockets over NIO and io_uring have no {@code ALLOW_HALF_CLOSURE}. {@link
 * ReadBuffers} hides the end from Netty and reports it here. The channel is not read after that: a
 * selector would otherwise report it as readable forever.
 */
final class HalfClose extends ChannelDuplexHandler {
  private boolean ended;
  private boolean reported;

  private HalfClose() {}

  /** Adds a handler if a channel needs one. Must be called before the first read. */
  static void addIfNeeded(Channel channel, Transport transport, boolean unix) {
    RecvByteBufAllocator reads = channel.config().getRecvByteBufAllocator();
    boolean needed = unix && (transport == Transport.NIO || transport == Transport.IO_URING);
    if (needed && reads instanceof ReadBuffers buffers) {
      HalfClose handler = new HalfClose();
      channel.config().setRecvByteBufAllocator(buffers.endingAt(handler::inputEnded));
      channel.pipeline().addLast(handler);
    }
  }

  /** Called in the middle of a read, which completes soon after. */
  void inputEnded() {
    ended = true;
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    ctx.fireChannelReadComplete();
    if (ended && !reported) {
      reported = true;
      ctx.channel().config().setAutoRead(false);
      ctx.fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
    }
  }

  @Override
  public void read(ChannelHandlerContext ctx) {
    if (!ended) {
      ctx.read();
    }
  }
}
