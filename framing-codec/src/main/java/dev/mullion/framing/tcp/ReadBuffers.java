package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import java.util.function.IntSupplier;
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
  private final IntSupplier room;

  @SuppressWarnings("deprecation") // Netty's interface names its deprecated type.
  private final Handle handle = new LoopHandle();

  /** Reads once each time a connection is ready, so that connections take turns. */
  ReadBuffers(int size, MemoryBudget budget) {
    this(size, budget, null, () -> size);
  }

  private ReadBuffers(int size, MemoryBudget budget, @Nullable Runnable onEnd, IntSupplier room) {
    super(1);
    this.size = size;
    this.budget = budget;
    this.onEnd = onEnd;
    this.room = room;
  }

  /**
   * Returns the same for one connection, with the input's end reported here instead of to Netty.
   */
  ReadBuffers endingAt(Runnable action) {
    return new ReadBuffers(size, budget, action, room);
  }

  /**
   * Returns the same for one connection, with reads of another size.
   *
   * @param most the most that there is room for now, asked before each read
   */
  ReadBuffers upTo(int size, IntSupplier most) {
    return new ReadBuffers(size, budget, onEnd, most);
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
      int allowed = budget.readSize(Math.min(size, room.getAsInt()));
      // When memory is short, or the connection holds much, reads are smaller.
      return allowed < size
          ? allocator.ioBuffer(allowed, allowed)
          : BUFFER.retained(allocator, size);
    }
  }
}
