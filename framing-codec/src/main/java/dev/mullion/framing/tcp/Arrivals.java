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
 * The bytes that have come on a connection and that nobody has looked at, and what comes behind
 * them. The event loop puts them in; whoever takes frames has them moved to a decoder, and may wait
 * for more.
 *
 * <p>The bytes are on the heap: a connection that is forgotten leaks nothing.
 */
final class Arrivals {
  /** How long a buffer is that is shared by short reads, once so many bytes wait. */
  private static final int MAX_SHARED = 4 * 1024;

  /** What is behind the last byte: the peer's end, or an error. */
  record End(@Nullable IOException cause) {}

  /**
   * What a decoder was given.
   *
   * @param memory the capacity of its buffers
   * @param stops whether only the rest of a frame that has begun is wanted behind it
   * @param end what is behind it, if that is known
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
   * Counts what a receiver that waits should look at: bytes, the end, and frames left by another.
   */
  private final AtomicInteger changes = new AtomicInteger();

  /** How many receivers wait; changed under the lock. */
  private volatile int receivers;

  Arrivals(LinkContext link, Reading reading) {
    this.link = link;
    this.reading = reading;
  }

  /** Sets what the event loop does when something has come, or the end. Any thread may call it. */
  void onArrival(Runnable action) {
    onArrival = action;
    link.runOnLoop(action);
  }

  /** On the event loop: says that something has come, or the end. */
  void arrived() {
    Runnable action = onArrival;
    if (action != null) {
      link.guarded(action);
    }
  }

  /** On the event loop: takes what was read, and releases it. Returns how many bytes wait. */
  long put(ByteBuf bytes) {
    int length = bytes.readableBytes();
    int made = 0;
    lock.lock();
    try {
      // Short reads share a buffer: with one for each byte, they would hold a hundred times as
      // much.
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
      // It may have others read on, and so is told without the lock; whoever has taken the bytes
      // meanwhile may have said so first.
      reading.hold(made);
    }
  }

  /** Says that no more comes: the peer has ended its side, or there was an error. */
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

  /**
   * Says that what has come is still wanted, with the rest of a frame that has begun, but no more.
   */
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

  /** Whether everything has been taken to be made into frames. */
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

  /** Returns the error behind the last byte, if one is. */
  @Nullable
  IOException cause() {
    End present = end;
    return present == null ? null : present.cause;
  }

  /** Hands on what is left, the end too, to a receiver that waits, or is about to. */
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

  /**
   * To be asked for before a look at what there is, and given to {@link #awaitChange} behind it.
   */
  int changes() {
    return changes.get();
  }

  /** Waits for a change that was not seen; returns how many of the nanoseconds are left. */
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
