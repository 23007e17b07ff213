package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
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
  /** Most connections write one buffer at a time. */
  private static final int FIRST_ENTRIES = 2;

  private static final int USUAL_ENTRIES = 8;

  private static final int[] NONE = {}; // until something is written

  /** The unused bytes of a buffer that are not worth a copy. */
  private static final int SPARE = 512;

  /** For each buffer in Netty's queue its bytes, followed by the memory that it keeps. */
  private int[] ring = NONE;

  private int first;
  private int entries;
  private int notFlushed;
  private long written;
  private long pending;
  private long held;
  private @Nullable ByteBuf lastRoot;
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
    if (memoryOf(buffer, lastRoot) <= 2 * length + SPARE) {
      return buffer;
    }
    try {
      return ctx.alloc().ioBuffer(Math.max(1, length)).writeBytes(buffer);
    } finally {
      buffer.release();
    }
  }

  @Override
  public void flush(ChannelHandlerContext ctx) {
    notFlushed = 0;
    ctx.flush();
    settle();
  }

  private void add(ByteBuf buffer) {
    if (entries == room()) {
      settle();
      if (entries == room()) {
        grow();
      }
    }
    int at = place(entries);
    int length = buffer.readableBytes();
    int keeps = memoryOf(buffer, lastRoot);
    lastRoot = rootOf(buffer);
    ring[at] = length;
    ring[at + 1] = keeps;
    entries++;
    notFlushed++;
    written += length;
    pending += length;
    held += keeps;
  }

  private int room() {
    return ring.length / 2;
  }

  /** Returns the index of an entry, counted from the first. */
  private int place(int entry) {
    return 2 * (first + entry & room() - 1);
  }

  private void grow() {
    int[] grown = new int[2 * Math.max(FIRST_ENTRIES, 2 * entries)];
    for (int i = 0; i < entries; i++) {
      System.arraycopy(ring, place(i), grown, 2 * i, 2);
    }
    first = 0;
    ring = grown;
  }

  /**
   * Returns the additional memory that a buffer keeps: a slice keeps its whole parent; several
   * slices of one parent keep it once.
   */
  @SuppressWarnings("ReferenceEquality") // Buffers are equal when their bytes are.
  private static int memoryOf(ByteBuf buffer, @Nullable ByteBuf kept) {
    if (buffer instanceof CompositeByteBuf composite) {
      int keeps = 0;
      ByteBuf before = kept;
      for (int i = 0; i < composite.numComponents(); i++) {
        ByteBuf component = composite.internalComponent(i);
        keeps += memoryOf(component, before);
        before = rootOf(component);
      }
      return keeps;
    }
    ByteBuf root = rootOf(buffer);
    return root == kept ? 0 : root.capacity();
  }

  private static ByteBuf rootOf(ByteBuf buffer) {
    ByteBuf root = buffer;
    for (ByteBuf next = root.unwrap(); next != null; next = next.unwrap()) {
      root = next;
    }
    return root;
  }

  /** Removes the entries that have left Netty's queue. */
  private void settle() {
    ChannelOutboundBuffer present = queue;
    int left = present == null ? 0 : present.size() + notFlushed;
    if (left == 0) {
      entries = 0;
      pending = 0;
      held = 0;
      lastRoot = null;
      if (room() > USUAL_ENTRIES) {
        ring = NONE;
        first = 0;
      }
      return;
    }
    while (entries > left) {
      pending -= ring[place(0)];
      held -= ring[place(0) + 1];
      first = first + 1 & room() - 1;
      entries--;
    }
  }

  /** Returns how many bytes have gone to the kernel; it never decreases. */
  long sent() {
    return written - pending();
  }

  /** Returns how many bytes wait for the kernel. */
  long pending() {
    settle();
    ChannelOutboundBuffer present = queue;
    return entries == 0 || present == null ? 0 : pending - present.currentProgress();
  }

  /** Returns the memory that waits for the kernel, including unused parts of its buffers. */
  long memory() {
    settle();
    return held;
  }
}
