package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * Gives the connections of one event loop one read buffer, and one handle for their reads, which
 * come one after the other. With io_uring, where several are under way at a time, each connection
 * has its own. After a read was answered, the next read reuses the buffer; idle connections hold
 * none.
 */
final class ReadBuffers extends DefaultMaxMessagesRecvByteBufAllocator {
  private static final LoopBuffer BUFFER = new LoopBuffer();

  private final int size;
  private final MemoryBudget budget;
  private final @Nullable Runnable onEnd;

  @SuppressWarnings("deprecation") // Netty's interface names its deprecated type.
  private final Handle handle = new LoopHandle();

  /** Reads once each time a connection is ready, so that connections take turns. */
  ReadBuffers(int size, MemoryBudget budget) {
    this(size, budget, null);
  }

  private ReadBuffers(int size, MemoryBudget budget, @Nullable Runnable onEnd) {
    super(1);
    this.size = size;
    this.budget = budget;
    this.onEnd = onEnd;
  }

  /**
   * Returns the same for one connection, with the input's end reported here instead of to Netty.
   */
  ReadBuffers endingAt(Runnable action) {
    return new ReadBuffers(size, budget, action);
  }

  @Override
  @SuppressWarnings("deprecation") // Netty's interface names its deprecated type.
  public Handle newHandle() {
    return handle;
  }

  private final class LoopHandle extends MaxMessageHandle {
    @Override
    public void lastBytesRead(int bytes) {
      if (bytes < 0 && onEnd != null) {
        onEnd.run();
        // Netty sees a read that found nothing.
        super.lastBytesRead(0);
      } else {
        super.lastBytesRead(bytes);
      }
    }

    @Override
    public int guess() {
      return size;
    }

    @Override
    public ByteBuf allocate(ByteBufAllocator allocator) {
      int allowed = budget.readSize(size);
      // When memory is short, reads are smaller.
      return allowed < size
          ? allocator.ioBuffer(allowed, allowed)
          : BUFFER.retained(allocator, size);
    }
  }
}
