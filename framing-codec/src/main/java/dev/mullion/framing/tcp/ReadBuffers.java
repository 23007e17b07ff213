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
 *
 * <p>Inside a long frame the next read is larger: each read and write costs a turn of the loop, and
 * the peer can send only what was read.
 */
final class ReadBuffers extends DefaultMaxMessagesRecvByteBufAllocator {
  private static final LoopBuffer BUFFER = new LoopBuffer();
  private static final LoopBuffer LARGE_BUFFER = new LoopBuffer();

  private final int size;
  private final int largeSize;
  private final MemoryBudget budget;
  private final @Nullable Runnable onEnd;

  @SuppressWarnings("deprecation") // Netty's interface names its deprecated type.
  private final Handle handle = new LoopHandle();

  private boolean nextIsLarge;

  /**
   * Reads once each time a connection is ready, so that connections take turns.
   *
   * @param largeSize the size of reads inside a long frame, at least the usual one
   */
  ReadBuffers(int size, int largeSize, MemoryBudget budget) {
    this(size, largeSize, budget, null);
  }

  private ReadBuffers(int size, int largeSize, MemoryBudget budget, @Nullable Runnable onEnd) {
    super(1);
    this.size = size;
    this.largeSize = largeSize;
    this.budget = budget;
    this.onEnd = onEnd;
  }

  /**
   * Returns the same for one connection, with the input's end reported here instead of to Netty.
   */
  ReadBuffers endingAt(Runnable action) {
    return new ReadBuffers(size, largeSize, budget, action);
  }

  /**
   * Notes that a connection is inside a frame. The loop's next read is probably for that frame too.
   */
  void expect(int missingBytes) {
    nextIsLarge = missingBytes > size;
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
      int wanted = nextIsLarge ? largeSize : size;
      LoopBuffer buffer = nextIsLarge ? LARGE_BUFFER : BUFFER;
      nextIsLarge = false;
      int allowed = budget.readSize(wanted);
      // When memory is short, reads are smaller.
      return allowed < wanted
          ? allocator.ioBuffer(allowed, allowed)
          : buffer.retained(allocator, wanted);
    }
  }
}
