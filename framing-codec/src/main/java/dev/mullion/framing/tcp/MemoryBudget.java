package dev.mullion.framing.tcp;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The memory that all connections together may hold for frames that are not complete, not handled
 * or not sent yet, and for what TLS holds of them.
 *
 * <pre>{@code
 *  0                                              mark                                     limit
 *  +---------------------------------------------+-------------------+---------------------+
 *  | all are read from                           | first's one frame | all others' shares  |
 *  +---------------------------------------------+-------------------+---------------------+
 *                                                 up to an eighth     a quarter
 * }</pre>
 *
 * <p>Beyond the mark the connections that hold more than an equal share of an eighth are not read
 * from (a frame may have room for as much again), until an eighth of what is before the mark is
 * free again. Since some hold less than that share, small requests go on. One of those who hold
 * more is read from all the same, so that its frame comes to an end and gives back what it holds;
 * else all could wait for each other.
 *
 * <p>So the limit is exceeded by no more than one read for each connection, of 4 KiB by then, and
 * by what the one frame is longer than an eighth of the limit.
 */
final class MemoryBudget {
  /** One that shares it: a connection, or rather what says when that is read from. */
  interface Holder {
    /** How many bytes it holds in memory; any thread may ask. */
    long held();

    /** Has it read from again. Any thread may call it. */
    void memoryIsFree();
  }

  /** A connection may always hold so much, however many there are. */
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

  /** Returns how many connections share it. */
  int connections() {
    return connections.get();
  }

  void opened() {
    connections.incrementAndGet();
  }

  /** Gives back what a connection held. */
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

  /** Whether a connection that holds so much must not be read from now. */
  boolean isTooMuch(long held) {
    return isExceeded() && held > share();
  }

  /** How many bytes a connection should be read at once, at most. */
  int readSize(int most) {
    long left = mark - used.get();
    return left >= most ? most : (int) Math.max(LEAST_SHARE, left);
  }

  private long share() {
    return Math.max(LEAST_SHARE, limit / 8 / Math.max(1, connections.get()));
  }

  /** Whether a connection that holds too much is the one that is read from all the same. */
  synchronized boolean goesFirst(Holder holder) {
    if (first == null) {
      first = holder;
    }
    return first == holder;
  }

  /** Has a paused connection read from when there is room again, or when it is its turn. */
  void whenFree(Holder holder) {
    List<Holder> next = List.of();
    synchronized (this) {
      paused.add(holder);
      if (first == null) {
        next = turn();
      }
    }
    next.forEach(Holder::memoryIsFree);
    // It may have become free before that was seen.
    add(0);
  }

  /** Says that a connection holds less. */
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
   * Returns who is to be read from now: those who hold little by now, and the one whose turn it is.
   * They are told when the lock is free.
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
