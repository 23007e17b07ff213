package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.SECONDS;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Decides which thread sends the messages of a stream. One thread sends at a time, without holding
 * a lock, since it calls interceptors and possibly an in-process peer. A thread that need not wait
 * leaves its message to the thread that is already sending.
 */
final class SendTurn {
  /**
   * A waiting thread checks again after this time without a signal, since interceptors may swallow
   * events.
   */
  private static final long LOOK = SECONDS.toNanos(1);

  /** Held only for a few assignments. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();
  private volatile @Nullable Thread owner;

  /** Used only by the owner. */
  private int depth;

  /** Whether the owner must check once more for messages left to it. */
  private boolean asked;

  /** Whether a thread waits for the turn. */
  private boolean wanted;

  /** Changed only under the lock. */
  private volatile long news;

  /** Takes the turn, reentrantly; returns false if another thread has it. */
  boolean take() {
    return take(true);
  }

  /**
   * Takes the turn unless a thread has it, including this one; otherwise asks that thread to check
   * once more.
   */
  boolean takeOrAsk() {
    return take(false);
  }

  private boolean take(boolean again) {
    lock.lock();
    try {
      Thread here = Thread.currentThread();
      if (owner != null && !(again && owner == here)) {
        wanted |= again;
        asked |= !again;
        return false;
      }
      owner = here;
      depth++;
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Returns whether this thread has the turn. */
  boolean isMine() {
    return owner == Thread.currentThread();
  }

  /** Gives back a reentrant turn, and returns whether it was one. Called by the owner. */
  boolean giveBackInside() {
    if (depth == 1) {
      return false;
    }
    depth--;
    return true;
  }

  /** Gives the turn back, unless a thread has asked the owner to check once more. */
  boolean giveBack() {
    lock.lock();
    try {
      if (asked) {
        asked = false;
        return false;
      }
      depth = 0;
      owner = null;
      if (wanted) {
        wanted = false;
        changed();
      }
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** Returns a number for {@link #awaitAfter}. */
  long news() {
    return news;
  }

  /** Wakes the waiting threads to check again. */
  void tell() {
    lock.lock();
    try {
      changed();
    } finally {
      lock.unlock();
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // Under the lock.
  private void changed() {
    news++;
    changed.signalAll();
  }

  /** Waits for a signal after {@link #news} returned the number, or for one second. */
  void awaitAfter(long seen) throws InterruptedException {
    lock.lockInterruptibly();
    try {
      long left = LOOK;
      while (news == seen && left > 0) {
        left = changed.awaitNanos(left);
      }
    } finally {
      lock.unlock();
    }
  }
}
