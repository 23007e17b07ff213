package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Takes the lock of an {@link Outbound} to add a frame, without calling user code under it: a frame
 * with a user's length encoding is encoded first.
 */
final class SendLock {
  private final Outbound queue;
  private final ReentrantLock lock;
  private final SendBuffer buffer;

  SendLock(Outbound queue) {
    this.queue = queue;
    lock = queue.lock;
    buffer = queue.buffer;
  }

  /** Switches to another format from the next frame on. */
  void format(FrameFormat format) {
    FrameEncoder next = buffer.newEncoder(format);
    lock.lock();
    try {
      buffer.use(next);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Takes the lock for a frame; the caller keeps the frame.
   *
   * @param copies whether its bytes must be copied, however many they are
   * @return the object to add to the queue; released after that if it is another object
   */
  @SuppressWarnings("LockNotBeforeTry") // It is the caller that unlocks.
  Object lockFor(Object frame, boolean copies) throws FramingException {
    while (true) {
      FrameFormat ahead = buffer.ahead();
      Object ready = ahead == null ? frame : buffer.encodeAhead(frame, ahead, copies);
      lock.lock();
      if (isSame(buffer.ahead(), ahead)) {
        return ready;
      }
      // The format has changed meanwhile.
      lock.unlock();
      release(ready, frame);
    }
  }

  @SuppressWarnings("ReferenceEquality") // Equal formats may have encodings that are not equal.
  private static boolean isSame(@Nullable FrameFormat one, @Nullable FrameFormat other) {
    return one == other;
  }

  /** Unlocks, and releases the encoded frame if it is not the frame itself. */
  void unlock(Object ready, Object frame) {
    try {
      // Fails if the event loop has ended.
      queue.unlock();
    } finally {
      release(ready, frame);
    }
  }

  private static void release(Object ready, Object frame) {
    if (ready != frame) {
      ReferenceCountUtil.release(ready);
    }
  }
}
