package dev.mullion.messaging.kafka;

import java.util.concurrent.TimeUnit;

/**
 * Whether a share consumer holds up handlers that are quicker than it, so that another one should
 * fetch while it commits. Two consumers cost more than one. A thousand small messages keep a
 * handler busy for longer than a near broker takes to commit them, and then one is faster. A broker
 * that only lacks the processor's time gets slower by two, so its commits must be very slow.
 */
final class Pace {
  private static final long QUICK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
  private static final int MANY = 500;
  private static final long LARGE_BYTES = 1 << 20;
  private static final long SLOW_COMMIT_NANOS = TimeUnit.MILLISECONDS.toNanos(20);
  private static final int SLOW_COMMITS = 16; // in a row: the first ones of a process are slow

  private final int size;
  private long quickUntil;
  private boolean waits; // the handlers would, for the commit
  private int slowCommits;

  /** Creates it for a consumer that fetches that many records at most. */
  Pace(int size) {
    this.size = size;
  }

  /** Takes notice of a fetch, at a time of {@link System#nanoTime}. */
  void fetched(int records, long bytes, long now) {
    waits = records >= size && (records < MANY || bytes >= LARGE_BYTES);
    quickUntil = now + (records < size ? 0 : QUICK_NANOS);
  }

  /** Takes notice of a commit. */
  void committed(long nanos) {
    slowCommits = nanos < SLOW_COMMIT_NANOS ? 0 : slowCommits + 1;
  }

  /** Returns whether another consumer is called for, now that all that was fetched is handled. */
  boolean isOutpaced(long now) {
    return now - quickUntil < 0 && (waits || slowCommits >= SLOW_COMMITS);
  }
}
