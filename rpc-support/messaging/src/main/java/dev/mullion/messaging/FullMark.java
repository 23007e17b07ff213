package dev.mullion.messaging;

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Whether senders would have to wait for room. A sender that is faster than its receivers finds
 * their queue full again and again, and to park each of its sends costs many times what the message
 * costs. So the sender itself waits first, for as long as quick receivers need to make much room.
 * After one wait in vain none waits here until as many messages as that have been received.
 */
final class FullMark {
  private static final long LONGEST_WAIT = TimeUnit.MILLISECONDS.toNanos(50);

  private final Queue<Thread> waiting = new ConcurrentLinkedQueue<>();
  private volatile boolean full;
  private volatile boolean inVain;
  private long accepted; // guarded by the lock of what it stands for: when the mark was set

  /**
   * Sets the mark, or clears it once there is much room; under the lock of what it stands for.
   *
   * @param total the number of messages accepted so far
   * @return whether {@link #wake} has to be called, under no lock
   */
  boolean update(boolean isFull, boolean hasMuchRoom, long total, long capacity) {
    if (!full) {
      full = isFull;
      accepted = total;
      return false;
    }
    if (hasMuchRoom) {
      inVain = false;
      full = false;
      return !waiting.isEmpty();
    }
    if (total - accepted > capacity / 4) {
      inVain = false;
      accepted = total;
    }
    return false;
  }

  /** Lets the waiting senders look again; one that finds it full once more goes on waiting. */
  void wake() {
    waiting.forEach(LockSupport::unpark);
  }

  /**
   * Waits until there is much room, but not for long. Under no lock. Handlers, and what continues
   * their sends, do not wait here: the room may depend on them, and asynchronous ones never wait.
   */
  void awaitRoom() {
    if (full && !inVain && HandlerRunner.current() == null && !Intake.isContinuation()) {
      await(Thread.currentThread());
    }
  }

  private void await(Thread sender) {
    long end = System.nanoTime() + LONGEST_WAIT;
    long left = LONGEST_WAIT;
    waiting.add(sender);
    while (full && left > 0 && !sender.isInterrupted()) {
      LockSupport.parkNanos(this, left);
      left = end - System.nanoTime();
    }
    waiting.remove(sender);
    if (full) {
      inVain = true;
    }
  }
}
