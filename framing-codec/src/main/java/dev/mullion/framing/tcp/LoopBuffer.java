package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocal;

/**
 * One buffer per event loop, reused while it is still in the processor's cache, once nobody else
 * holds it. If part of the buffer is still in use, its users keep it and the loop gets another.
 * There is one such object per purpose, not per server: Netty never frees a slot among a thread's
 * variables.
 */
final class LoopBuffer extends FastThreadLocal<ByteBuf> {
  @Override
  protected void onRemoval(ByteBuf buffer) {
    buffer.release();
  }

  /** Returns an empty buffer; the caller releases it. */
  ByteBuf retained(ByteBufAllocator allocator, int size) {
    ByteBuf buffer = getIfExists();
    if (buffer != null && buffer.refCnt() == 1 && buffer.capacity() == size) {
      return buffer.clear().retain();
    }
    // If this fails, the current buffer must still belong to the loop.
    ByteBuf fresh = allocator.ioBuffer(size);
    set(fresh);
    if (buffer != null) {
      buffer.release();
    }
    return fresh.retain();
  }
}
