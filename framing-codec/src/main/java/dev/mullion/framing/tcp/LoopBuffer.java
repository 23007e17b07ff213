package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocal;

/**
 * One buffer for each event loop, used again, while it is still in the processor's cache, as soon
 * as nobody else holds it. One of which a part is still in use stays with its users, and the loop
 * gets another. There is one such object for each purpose, and not for each server: Netty never
 * takes back a place among a thread's variables.
 */
final class LoopBuffer extends FastThreadLocal<ByteBuf> {
  @Override
  protected void onRemoval(ByteBuf buffer) {
    buffer.release();
  }

  /** Returns an empty buffer, which the caller releases. */
  ByteBuf retained(ByteBufAllocator allocator, int size) {
    ByteBuf buffer = getIfExists();
    if (buffer != null && buffer.refCnt() == 1 && buffer.capacity() == size) {
      return buffer.clear().retain();
    }
    // If this fails, the present one must still be the loop's.
    ByteBuf fresh = allocator.ioBuffer(size);
    set(fresh);
    if (buffer != null) {
      buffer.release();
    }
    return fresh.retain();
  }
}
