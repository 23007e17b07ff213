package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import org.jspecify.annotations.Nullable;

/**
 * Counts what has gone to the kernel and what waits for it, at the socket's end of a pipeline,
 * after TLS. Netty's queue reports only its level, which looks the same if as much was added as was
 * written, and which includes the queue's own overhead.
 *
 * <pre>{@code
 *  written ---> +-------------------------------+ ---> kernel: sent
 *               | Netty's queue: pending, memory|
 *               +-------------------------------+
 * }</pre>
 *
 * <p>Used only by the event loop's thread.
 */
final class SocketOutput extends ChannelOutboundHandlerAdapter {
  /** The unused bytes of a buffer that are not worth a copy. */
  private static final int SPARE = 512;

  /** Present while buffers wait in Netty's queue. */
  private @Nullable UnsentBuffers unsent;

  private int notFlushed;
  private boolean collecting;
  private long written;
  private @Nullable ChannelOutboundBuffer queue;

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    queue = ctx.channel().unsafe().outboundBuffer();
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
    if (message instanceof ByteBuf buffer) {
      ByteBuf own = waits() ? rightSized(ctx, buffer) : buffer;
      add(own);
      ctx.write(own, promise);
    } else {
      ctx.write(message, promise);
    }
  }

  /** Whether the kernel has not accepted everything that was flushed. */
  private boolean waits() {
    ChannelOutboundBuffer present = queue;
    return present != null && present.size() > 0;
  }

  /** Copies a buffer that must wait, if it keeps much more memory than it has bytes. */
  private ByteBuf rightSized(ChannelHandlerContext ctx, ByteBuf buffer) {
    int length = buffer.readableBytes();
    if (unsent().memoryOf(buffer) <= 2L * length + SPARE) {
      return buffer;
    }
    ByteBuf copy;
    try {
      copy = ctx.alloc().ioBuffer(Math.max(1, length));
    } catch (OutOfMemoryError e) { // sent all the same, with more memory than it needs
      return buffer;
    }
    copy.writeBytes(buffer);
    buffer.release();
    return copy;
  }

  /** Whether flushed buffers are collected until the first flush afterwards. */
  void collect(boolean on) {
    collecting = on;
  }

  @Override
  public void flush(ChannelHandlerContext ctx) {
    if (collecting) {
      return;
    }
    notFlushed = 0;
    ctx.flush();
    settle();
  }

  private UnsentBuffers unsent() {
    UnsentBuffers present = unsent;
    if (present == null) {
      present = UnsentBuffers.acquire();
      unsent = present;
    }
    return present;
  }

  private void add(ByteBuf buffer) {
    if (unsent().isFull()) {
      settle();
    }
    written += buffer.readableBytes();
    unsent().add(buffer);
    notFlushed++;
  }

  /** Removes the buffers that have left Netty's queue. */
  private void settle() {
    UnsentBuffers present = unsent;
    if (present == null) {
      return;
    }
    ChannelOutboundBuffer waiting = queue;
    int left = waiting == null ? 0 : waiting.size() + notFlushed;
    if (left == 0) {
      unsent = null;
      present.recycle();
    } else {
      present.keepLast(left);
    }
  }

  /** Returns how many bytes have gone to the kernel; it never decreases. */
  long sent() {
    return written - pending();
  }

  /** Returns how many bytes wait for the kernel. */
  long pending() {
    settle();
    UnsentBuffers present = unsent;
    ChannelOutboundBuffer waiting = queue;
    return present == null || waiting == null ? 0 : present.pending() - waiting.currentProgress();
  }

  /** Returns the memory that waits for the kernel, including unused parts of its buffers. */
  long memory() {
    settle();
    UnsentBuffers present = unsent;
    return present == null ? 0 : present.held();
  }
}
