package dev.mullion.framing.testing;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledHeapByteBuf;

/** Has memory for the buffers that come, and none for copies. */
public final class ExhaustedAllocator extends AbstractByteBufAllocator {
  @Override
  protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
    throw new OutOfMemoryError("none is left");
  }

  @Override
  protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
    throw new OutOfMemoryError("none is left");
  }

  @Override
  public boolean isDirectBufferPooled() {
    return false;
  }

  /** Returns bytes as if they were read. */
  public ByteBuf read(byte[] bytes) {
    return new UnpooledHeapByteBuf(this, 2048, 2048).writeBytes(bytes);
  }
}
