package dev.mullion.framing.tcp;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The memory that all connections together may hold for frames that are incomplete, not handled or
 * not sent, and for the TLS data of such frames.
 *
 * <pre>{@code
 *  0                                              mark                                     limit
 *  +---------------------------------------------+-------------------+---------------------+
 *  | all are read from                           | first's one frame | all others' shares  |
 *  +---------------------------------------------+-------------------+---------------------+
 *                                                 up to an eighth     a quarter
 * }</pre>
 *
 * <p>Beyond the mark, reading pauses on connections that hold more than an equal share of an eighth
 * (a frame may hold room for as much again). Reading resumes when an eighth of the memory below the
 * mark is free again. Connections that hold less than that share continue, so small requests are
 * still served. One of the larger holders is still read from, so that its frame completes and frees
 * its memory; otherwise all could wait for each other.
 *
 * <p>So the limit is exceeded by at most one read per connection, of up to 4 KiB by then, and by
 * the part of the one frame that is longer than an eighth of the limit.
 */
final class MemoryBudget {
  /** A connection's share of the memory. */
  interface Holder {
    /** Returns how many bytes of memory it holds; any thread may call it. */
    long held();

    /** Resumes reading. Any thread may call it. */
    void memoryIsFree();
  }

  /** The bytes that a connection may always hold, however many connections there are. */
  private static final long LEAST_SHARE = 4 * 1024;

  private final long limit;
  private final long mark;
  private final AtomicLong used = new AtomicLong();
  private final AtomicInteger connections = new AtomicInteger();
  private final Queue<Holder> paused = new ConcurrentLinkedQueue<>();
  private volatile @Nullable Holder first;

  MemoryBudget(long limit, int longestFrame) {
    this.limit = limit;
    mark = limit - limit / 4 - Math.min(longestFrame, limit / 8);
  }

  long used() {
    return used.get();
  }

  /** Returns the number of connections that share it. */
  int connections() {
    return connections.get();
  }

  void opened() {
    connections.incrementAndGet();
  }

  /** Returns a closed connection's memory. */
  void closed(Holder holder, long held) {
    connections.decrementAndGet();
    paused.remove(holder);
    add(-held);
    if (first == holder) {
      passOn(holder);
    }
  }

  void add(long bytes) {
    if (used.addAndGet(bytes) <= mark - mark / 8) {
      for (Holder next = paused.poll(); next != null; next = paused.poll()) {
        next.memoryIsFree();
      }
    }
  }

  boolean isExceeded() {
    return used.get() > mark;
  }

  /** Whether a connection that holds this many bytes must not be read from now. */
  boolean isTooMuch(long held) {
    return isExceeded() && held > share();
  }

  /** Returns the maximum size of one read. */
  int readSize(int most) {
    long left = mark - used.get();
    return left >= most ? most : (int) Math.max(LEAST_SHARE, left);
  }

  private long share() {
    return Math.max(LEAST_SHARE, limit / 8 / Math.max(1, connections.get()));
  }

  /** Whether a connection is the one that is still read from despite holding too much. */
  synchronized boolean goesFirst(Holder holder) {
    if (first == null) {
      first = holder;
    }
    return first == holder;
  }

  /** Resumes a paused connection when there is room again, or when it is its turn. */
  void whenFree(Holder holder) {
    List<Holder> next = List.of();
    synchronized (this) {
      paused.add(holder);
      if (first == null) {
        next = turn();
      }
    }
    next.forEach(Holder::memoryIsFree);
    // Memory may have become free before the holder was added.
    add(0);
  }

  /** Notes that a connection holds less. */
  void holdsLess(Holder holder, long held) {
    if (first == holder && held <= share()) {
      passOn(holder);
    }
  }

  private void passOn(Holder holder) {
    List<Holder> next = List.of();
    synchronized (this) {
      if (first == holder) {
        first = null;
        next = turn();
      }
    }
    next.forEach(Holder::memoryIsFree);
  }

  /**
   * Returns the connections to resume now: those that hold little, and the one whose turn it is.
   * They are notified after the lock is released.
   */
  private List<Holder> turn() {
    List<Holder> free = new ArrayList<>();
    for (Holder next = paused.poll(); next != null; next = paused.poll()) {
      free.add(next);
      if (next.held() > share()) {
        first = next;
        break;
      }
    }
    return free;
  }
}
