package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * How the lock of an {@link Outbound} is taken to give a frame to it, so that no code of the user's
 * is called under it: a frame of a format with a user's length encoding is encoded before.
 */
final class SendLock {
  private final ReentrantLock lock;
  private final SendBuffer buffer;

  SendLock(ReentrantLock lock, SendBuffer buffer) {
    this.lock = lock;
    this.buffer = buffer;
  }

  /** Uses another format from the next frame on. */
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
   * Takes the lock for a frame, which stays its owner's.
   *
   * @param copies whether its bytes may not be kept, however many they are
   * @return what is to be given to the queue, and then released if it is another object
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

  /** Unlocks, and releases what was made for a frame, if it is not the frame itself. */
  void unlock(Object ready, Object frame) {
    lock.unlock();
    release(ready, frame);
  }

  private static void release(Object ready, Object frame) {
    if (ready != frame) {
      ReferenceCountUtil.release(ready);
    }
  }
}
