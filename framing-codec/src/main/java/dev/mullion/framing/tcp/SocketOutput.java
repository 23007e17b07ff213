package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.CompositeByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.util.Arrays;
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
  private static final int USUAL_ENTRIES = 8;

  private static final int[] NONE = {}; // until something is written

  /** The unused bytes of a buffer that are not worth a copy. */
  private static final int SPARE = 512;

  /** A ring of the bytes of each buffer in Netty's queue, and of the memory that each keeps. */
  private int[] bytes = NONE;

  private int[] memory = NONE;
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
    if (entries == bytes.length) {
      settle();
      if (entries == bytes.length) {
        grow();
      }
    }
    int at = first + entries & bytes.length - 1;
    int length = buffer.readableBytes();
    int keeps = memoryOf(buffer, lastRoot);
    lastRoot = rootOf(buffer);
    bytes[at] = length;
    memory[at] = keeps;
    entries++;
    notFlushed++;
    written += length;
    pending += length;
    held += keeps;
  }

  private void grow() {
    int size = Math.max(USUAL_ENTRIES, 2 * entries);
    int[] grownBytes = new int[size];
    int[] grownMemory = new int[size];
    for (int i = 0; i < entries; i++) {
      int at = first + i & bytes.length - 1;
      grownBytes[i] = bytes[at];
      grownMemory[i] = memory[at];
    }
    first = 0;
    bytes = grownBytes;
    memory = grownMemory;
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
      if (bytes.length > USUAL_ENTRIES) {
        bytes = Arrays.copyOf(bytes, USUAL_ENTRIES);
        memory = Arrays.copyOf(memory, USUAL_ENTRIES);
        first = 0;
      }
      return;
    }
    while (entries > left) {
      pending -= bytes[first];
      held -= memory[first];
      first = first + 1 & bytes.length - 1;
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
