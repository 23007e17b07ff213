package dev.mullion.framing;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledHeapByteBuf;

/** Counts what its buffers hold, and what is copied into them. Of one thread. */
final class CountingAllocator extends AbstractByteBufAllocator {
  private long held;
  private long copied;
  private int buffers;

  /** The capacity of all buffers that are not released. */
  long held() {
    return held;
  }

  /** The bytes that were copied from other buffers, or when a buffer grew. */
  long copied() {
    return copied;
  }

  int buffers() {
    return buffers;
  }

  /** A buffer as a transport fills it, with more room than bytes. */
  ByteBuf read(byte[] bytes, int capacity) {
    return new Counted(capacity, capacity).writeBytes(bytes);
  }

  @Override
  protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
    return new Counted(initialCapacity, maxCapacity);
  }

  @Override
  protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
    return new Counted(initialCapacity, maxCapacity);
  }

  @Override
  public boolean isDirectBufferPooled() {
    return false;
  }

  private final class Counted extends UnpooledHeapByteBuf {
    Counted(int initialCapacity, int maxCapacity) {
      super(CountingAllocator.this, initialCapacity, maxCapacity);
      held += initialCapacity;
      buffers++;
    }

    @Override
    public ByteBuf capacity(int newCapacity) {
      held += newCapacity - capacity();
      copied += readableBytes();
      return super.capacity(newCapacity);
    }

    @Override
    public ByteBuf setBytes(int index, ByteBuf src, int srcIndex, int length) {
      copied += length;
      return super.setBytes(index, src, srcIndex, length);
    }

    @Override
    protected void deallocate() {
      held -= capacity();
      buffers--;
      super.deallocate();
    }
  }
}
