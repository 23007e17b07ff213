package dev.mullion.framing.tcp;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The memory that all connections together may hold for frames that are not complete, not handled or
 * not sent yet. Beyond it the connections that hold more than an equal share are not read from, until
 * an eighth of it is free again. Since some hold less than that share, small requests go on.
 */
final class MemoryBudget {
  /** A connection may always hold so much, however many there are. */
  private static final long LEAST_SHARE = 4 * 1024;

  private final long limit;
  private final AtomicLong used = new AtomicLong();
  private final AtomicInteger connections = new AtomicInteger();
  private final Queue<Runnable> paused = new ConcurrentLinkedQueue<>();

  MemoryBudget(long limit) {
    this.limit = limit;
  }

  long limit() {
    return limit;
  }

  long used() {
    return used.get();
  }

  void opened() {
    connections.incrementAndGet();
  }

  /** Gives back what a connection held. */
  void closed(long held) {
    connections.decrementAndGet();
    add(-held);
  }

  void add(long bytes) {
    if (used.addAndGet(bytes) <= limit - limit / 8) {
      for (Runnable resume = paused.poll(); resume != null; resume = paused.poll()) {
        resume.run();
      }
    }
  }

  boolean isExceeded() {
    return used.get() > limit;
  }

  /** Whether a connection that holds so much must not be read from now. */
  boolean isTooMuch(long held) {
    return isExceeded() && held > share();
  }

  /** How many bytes a connection should be read at once, at most. */
  int readSize(int most) {
    long left = limit - used.get();
    return left >= most ? most : (int) Math.max(LEAST_SHARE, left);
  }

  private long share() {
    return Math.max(LEAST_SHARE, limit / Math.max(1, connections.get()));
  }

  /** Runs an action, by any thread, when there is room again. */
  void whenFree(Runnable resume) {
    paused.add(resume);
    // It may have become free before that was seen.
    add(0);
  }
}
