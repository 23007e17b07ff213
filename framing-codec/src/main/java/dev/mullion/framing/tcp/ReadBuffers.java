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
  /** Of all servers: Netty never takes back a place among a thread's variables. */
  private static final FastThreadLocal<ByteBuf> LAST = new FastThreadLocal<>() {
    @Override
    protected void onRemoval(ByteBuf buffer) {
      buffer.release();
    }
  };

  private final int size;
  private final MemoryBudget budget;

  /** Reads once for each time a connection is ready, so that connections take turns. */
  ReadBuffers(int size, MemoryBudget budget) {
    super(1);
    this.size = size;
    this.budget = budget;
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
        int allowed = budget.readSize(size);
        // When memory is short each read brings less.
        return allowed < size
            ? allocator.ioBuffer(allowed, allowed)
            : next(allocator).retain();
      }
    };
  }

  private ByteBuf next(ByteBufAllocator allocator) {
    ByteBuf buffer = LAST.getIfExists();
    if (buffer != null && buffer.refCnt() == 1 && buffer.capacity() == size) {
      return buffer.clear();
    }
    // If this fails, the present one must still be the loop's.
    ByteBuf fresh = allocator.ioBuffer(size);
    LAST.set(fresh);
    if (buffer != null) {
      buffer.release();
    }
    return fresh;
  }
}
