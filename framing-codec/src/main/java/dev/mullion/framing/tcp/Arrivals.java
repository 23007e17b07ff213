package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameDecoder;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Received bytes that nobody has decoded yet, followed by the peer's end or an error. The event
 * loop adds bytes; a receiver moves them to its decoder and may wait for more.
 *
 * <p>The bytes are on the heap, so a forgotten connection leaks nothing.
 */
final class Arrivals {
  /** The length of a buffer shared by short reads, once that many bytes wait. */
  private static final int MAX_SHARED = 4 * 1024;

  /** What follows the last byte: the peer's end, or an error. */
  record End(@Nullable IOException cause) {}

  /**
   * What was moved to a decoder.
   *
   * @param memory the capacity of its buffers
   * @param stops whether only the rest of an incomplete frame is wanted after it
   * @param end what follows it, if known
   */
  record Moved(
      boolean some, long memory, boolean stops, @Nullable End end) {}

  private final LinkContext link;
  private final Reading reading;
  private volatile @Nullable Runnable onArrival;
  final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Deque<ByteBuf> queue = new ArrayDeque<>(0);
  private long queued;
  private boolean stops;
  private volatile @Nullable End end;

  /**
   * Counts the events that a waiting receiver should check: bytes, the end, and frames left by
   * another receiver.
   */
  private final AtomicInteger changes = new AtomicInteger();

  /** The number of waiting receivers; changed under the lock. */
  private volatile int receivers;

  Arrivals(LinkContext link, Reading reading) {
    this.link = link;
    this.reading = reading;
  }

  /**
   * Sets the action that the event loop runs when bytes or the end arrive. Any thread may call it.
   */
  void onArrival(Runnable action) {
    onArrival = action;
    link.runOnLoop(action);
  }

  /** On the event loop: signals that bytes or the end arrived. */
  void arrived() {
    Runnable action = onArrival;
    if (action != null) {
      link.guarded(action);
    }
  }

  /** On the event loop: adds what was read, and releases it. Returns how many bytes wait. */
  long put(ByteBuf bytes) {
    int length = bytes.readableBytes();
    int made = 0;
    lock.lock();
    try {
      // Short reads share a buffer: one buffer per byte would use a hundred times the memory.
      ByteBuf last = queue.peekLast();
      if (last == null || last.writableBytes() < length) {
        int capacity = (int) Math.max(length, Math.min(queued, MAX_SHARED));
        last = Unpooled.wrappedBuffer(new byte[capacity]).clear();
        queue.add(last);
        made = capacity;
      }
      last.writeBytes(bytes);
      queued += length;
      change();
      return queued;
    } finally {
      lock.unlock();
      bytes.release();
      // The action may resume other reads, so it runs without the lock. The receiver that took the
      // bytes meanwhile may have run it first.
      reading.hold(made);
    }
  }

  /** Ends the input: the peer has ended its side, or there was an error. */
  void end(@Nullable IOException why) {
    lock.lock();
    try {
      if (end == null) {
        end = new End(why);
      }
      change();
    } finally {
      lock.unlock();
    }
  }

  /** Ends the input after the bytes received so far and the rest of an incomplete frame. */
  void endAfterFrame() {
    lock.lock();
    try {
      stops = true;
      change();
    } finally {
      lock.unlock();
    }
  }

  private void change() {
    changes.incrementAndGet();
    changed.signalAll();
  }

  /** Moves all the bytes to a decoder. */
  Moved moveTo(FrameDecoder decoder) {
    lock.lock();
    try {
      final boolean some = !queue.isEmpty();
      long memory = 0;
      for (ByteBuf bytes = queue.poll(); bytes != null; bytes = queue.poll()) {
        memory += bytes.capacity();
        decoder.add(bytes);
      }
      queued = 0;
      return new Moved(some, memory, stops, end);
    } finally {
      lock.unlock();
    }
  }

  /** Whether all bytes have been moved to a decoder. */
  boolean isEmpty() {
    lock.lock();
    try {
      return queue.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  long bytes() {
    lock.lock();
    try {
      return queued;
    } finally {
      lock.unlock();
    }
  }

  /** Returns the error that follows the last byte, or {@code null}. */
  @Nullable
  IOException cause() {
    End present = end;
    return present == null ? null : present.cause;
  }

  /** Wakes a waiting receiver, or one about to wait, for the remaining bytes or the end. */
  void tellReceivers() {
    changes.incrementAndGet();
    if (receivers > 0) {
      lock.lock();
      try {
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Returns a counter to read before checking for input and to pass to {@link #awaitChange}. */
  int changes() {
    return changes.get();
  }

  /** Waits for a change that was not seen; returns the nanoseconds left. */
  @SuppressWarnings("NonAtomicVolatileUpdate") // It is changed under the lock only.
  long awaitChange(int seen, long nanos) throws InterruptedException {
    long left = nanos;
    lock.lockInterruptibly();
    receivers++;
    try {
      while (changes.get() == seen && left > 0) {
        left = changed.awaitNanos(left);
      }
      return left;
    } finally {
      receivers--;
      lock.unlock();
    }
  }
}
