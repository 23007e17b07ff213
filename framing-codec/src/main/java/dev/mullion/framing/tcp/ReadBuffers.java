package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocal;

/**
 * Gives each event loop one buffer to read into, for all its connections. When a read has been
 * answered the same buffer, still in the processor's cache, takes the next one; idle connections hold
 * none. A buffer of which a part is still in use stays with its users, and the loop gets another.
 */
final class ReadBuffers extends DefaultMaxMessagesRecvByteBufAllocator {
  private final int size;
  private final FastThreadLocal<ByteBuf> last = new FastThreadLocal<>() {
    @Override
    protected void onRemoval(ByteBuf buffer) {
      buffer.release();
    }
  };

  /** Reads once for each time a connection is ready, so that connections take turns. */
  ReadBuffers(int size) {
    super(1);
    this.size = size;
  }

  @Override
  @SuppressWarnings("deprecation") // Netty's interface names its deprecated type.
  public Handle newHandle() {
    return new MaxMessageHandle() {
      @Override
      public int guess() {
        return size;
      }

      @Override
      public ByteBuf allocate(ByteBufAllocator allocator) {
        return next(allocator).retain();
      }
    };
  }

  private ByteBuf next(ByteBufAllocator allocator) {
    ByteBuf buffer = last.getIfExists();
    if (buffer != null) {
      if (buffer.refCnt() == 1) {
        return buffer.clear();
      }
      buffer.release();
    }
    ByteBuf fresh = allocator.ioBuffer(size);
    last.set(fresh);
    return fresh;
  }
}
