package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.SECONDS;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Which thread sends the messages of a stream: one at a time, and with no lock held, since
 * interceptors are called, and in the same process the peer. A thread that need not wait, and finds
 * that another one sends, leaves what it has to that one.
 */
final class SendTurn {
  /**
   * Who waits looks anew after that time, though nothing was told: interceptors may keep news back.
   */
  private static final long LOOK = SECONDS.toNanos(1);

  /** Held for the time of a few assignments. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();
  private volatile @Nullable Thread owner;

  /** Used by the owner only. */
  private int depth;

  /** Whether the owner is to look once more for what was left to it. */
  private boolean asked;

  /** Whether a thread waits for the turn. */
  private boolean wanted;

  /** Changed under the lock. */
  private volatile long news;

  /** Takes the turn, or takes it again inside; returns whether no other thread has it. */
  boolean take() {
    return take(true);
  }

  /**
   * Takes the turn unless any thread has it, also this one; that one is asked to look once more.
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

  /** Returns whether this thread has it. */
  boolean isMine() {
    return owner == Thread.currentThread();
  }

  /** To be called by the owner: gives back what was taken inside, and returns whether it was. */
  boolean giveBackInside() {
    if (depth == 1) {
      return false;
    }
    depth--;
    return true;
  }

  /** Gives the turn back, unless somebody has asked the owner to look once more. */
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

  /** Returns a number to give to {@link #awaitAfter}. */
  long news() {
    return news;
  }

  /** Tells those that wait to look anew. */
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

  /** Waits until something was told after that number was returned, or a second has passed. */
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
