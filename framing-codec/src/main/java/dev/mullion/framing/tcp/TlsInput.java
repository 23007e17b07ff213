package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.ssl.SslHandler;
import org.jspecify.annotations.Nullable;

/**
 * Counts the bytes of an incomplete TLS record that TLS holds, from the start of the handshake, and
 * keeps them small. Separate because netty-handler may be absent.
 *
 * <pre>{@code
 *  socket ---> TlsInput ---> SslHandler, which collects a record ---> frames
 * }</pre>
 */
final class TlsInput extends ChannelDuplexHandler {
  private final Reading reading;

  /** The buffer that TLS has collected and may have used up; held during a read only. */
  private @Nullable ByteBuf collected;

  private long held;

  private TlsInput(Reading reading) {
    this.reading = reading;
  }

  static void addTo(ChannelPipeline pipeline, Reading reading) {
    TlsInput input = new TlsInput(reading);
    pipeline.get(SslHandler.class).setCumulator(input::collect);
    pipeline.addFirst(input);
  }

  private ByteBuf collect(ByteBufAllocator allocator, ByteBuf before, ByteBuf in) {
    ByteBuf all = ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(allocator, before, in);
    forget();
    collected = all.retain();
    return all;
  }

  private void forget() {
    ByteBuf present = collected;
    if (present != null) {
      collected = null;
      present.release();
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    try {
      ctx.fireChannelRead(message instanceof ByteBuf bytes ? rightSized(ctx, bytes) : message);
    } finally {
      ByteBuf present = collected;
      // If TLS has used everything, it has released it.
      long now = present != null && present.refCnt() > 1 ? present.capacity() : 0;
      forget();
      reading.hold(now - held);
      held = now;
    }
  }

  /** Part of a record would keep the whole read buffer. */
  private static ByteBuf rightSized(ChannelHandlerContext ctx, ByteBuf bytes) {
    if (2 * bytes.readableBytes() >= bytes.capacity()) {
      return bytes;
    }
    try {
      return ctx.alloc().ioBuffer(Math.max(1, bytes.readableBytes())).writeBytes(bytes);
    } finally {
      bytes.release();
    }
  }

  /** TLS reads on inside a record, even if reading is paused. */
  @Override
  public void read(ChannelHandlerContext ctx) {
    if (!reading.isPaused()) {
      ctx.read();
    }
  }
}
