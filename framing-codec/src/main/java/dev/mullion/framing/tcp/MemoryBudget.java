package dev.mullion.framing.tcp;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The memory that all connections together may hold for frames that are not complete, not handled or
 * not sent yet, and for what TLS holds of them.
 *
 * <pre>{@code
 *  0                                              mark                                     limit
 *  +---------------------------------------------+-------------------+---------------------+
 *  | all are read from                           | first's one frame | all others' shares  |
 *  +---------------------------------------------+-------------------+---------------------+
 *                                                 up to an eighth     a quarter
 * }</pre>
 *
 * <p>Beyond the mark the connections that hold more than an equal share of an eighth are not read from
 * (a frame may have room for as much again), until an eighth of what is before the mark is free again. Since some hold less than that share, small
 * requests go on. One of those who hold more is read from all the same, so that its frame comes to an
 * end and gives back what it holds; else all could wait for each other.
 *
 * <p>So the limit is exceeded by no more than one read for each connection, of 4 KiB by then, and by
 * what the one frame is longer than an eighth of the limit.
 */
final class MemoryBudget {
  /** A connection may always hold so much, however many there are. */
  private static final long LEAST_SHARE = 4 * 1024;

  private final long limit;
  private final long mark;
  private final AtomicLong used = new AtomicLong();
  private final AtomicInteger connections = new AtomicInteger();
  private final Queue<Reading> paused = new ConcurrentLinkedQueue<>();
  private volatile @Nullable Reading first;

  MemoryBudget(long limit, int longestFrame) {
    this.limit = limit;
    mark = limit - limit / 4 - Math.min(longestFrame, limit / 8);
  }

  long limit() {
    return limit;
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
  void closed(Reading reading, long held) {
    connections.decrementAndGet();
    paused.remove(reading);
    add(-held);
    if (first == reading) {
      passOn(reading);
    }
  }

  void add(long bytes) {
    if (used.addAndGet(bytes) <= mark - mark / 8) {
      for (Reading next = paused.poll(); next != null; next = paused.poll()) {
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
  synchronized boolean goesFirst(Reading reading) {
    if (first == null) {
      first = reading;
    }
    return first == reading;
  }

  /** Has a paused connection read from when there is room again, or when it is its turn. */
  void whenFree(Reading reading) {
    List<Reading> next = List.of();
    synchronized (this) {
      paused.add(reading);
      if (first == null) {
        next = turn();
      }
    }
    next.forEach(Reading::memoryIsFree);
    // It may have become free before that was seen.
    add(0);
  }

  /** Says that a connection holds less. */
  void holdsLess(Reading reading, long held) {
    if (first == reading && held <= share()) {
      passOn(reading);
    }
  }

  private void passOn(Reading reading) {
    List<Reading> next = List.of();
    synchronized (this) {
      if (first == reading) {
        first = null;
        next = turn();
      }
    }
    next.forEach(Reading::memoryIsFree);
  }

  /**
   * Returns who is to be read from now: those who hold little by now, and the one whose turn it is.
   * They are told when the lock is free.
   */
  private List<Reading> turn() {
    List<Reading> free = new ArrayList<>();
    for (Reading next = paused.poll(); next != null; next = paused.poll()) {
      free.add(next);
      if (next.held() > share()) {
        first = next;
        break;
      }
    }
    return free;
  }
}
