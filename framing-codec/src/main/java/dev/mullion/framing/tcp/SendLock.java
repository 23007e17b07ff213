package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

/**
 * Takes the lock of an {@link Outbound} to add a frame, without calling user code under it: a frame
 * with a user's length encoding is encoded first.
 */
final class SendLock {
  private final Outbound queue;

  SendLock(Outbound queue) {
    this.queue = queue;
  }

  /** Switches to another format from the next frame on. */
  void format(FrameFormat format) {
    FrameEncoder next = queue.buffer.newEncoder(format);
    queue.lock.lock();
    try {
      queue.buffer.use(next);
    } finally {
      queue.lock.unlock();
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
      FrameFormat ahead = queue.buffer.ahead();
      Object ready = ahead == null ? frame : queue.buffer.encodeAhead(frame, ahead, copies);
      queue.lock.lock();
      if (isSame(queue.buffer.ahead(), ahead)) {
        return ready;
      }
      // The format has changed meanwhile.
      queue.lock.unlock();
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
