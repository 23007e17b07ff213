package dev.mullion.messaging;

import dev.mullion.messaging.MessagingClock.Timer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * The limits of sends without an answer, by number and bytes. Senders that find no room wait in the
 * order in which they came; room that is free goes to the first of them, so a large message is not
 * overtaken for ever by small ones.
 *
 * <pre>{@code
 *  one long, so that with room a send takes one compare-and-set and no lock:
 *  +--------+---------+----------------+-----------------+
 *  | closed | waiting | number, 20 bit | bytes, 41 bit   |
 *  +--------+---------+----------------+-----------------+
 * }</pre>
 */
final class PendingLimits {
  private static final int BYTES_BITS = 41;
  private static final long ONE = 1L << BYTES_BITS;
  private static final long BYTES = ONE - 1;
  private static final long WAITING = 1L << 61;
  private static final long CLOSED = 1L << 62;
  private static final long NUMBER = WAITING - 1 - BYTES;

  private static final int MANY = 64;
  private static final long FIRST_LOOK = TimeUnit.MILLISECONDS.toNanos(1);
  private static final long LONGEST_LOOK = TimeUnit.MILLISECONDS.toNanos(16);

  private final int maxPending;
  private final long maxPendingBytes;
  private final MessagingClock clock;
  private final int someRoom;
  private final AtomicLong state = new AtomicLong();
  private final CompletableFuture<@Nullable Void> drained = new CompletableFuture<>();
  private final Object lock = new Object();
  private final ArrayDeque<Waiter> waiters = new ArrayDeque<>(); // guarded by lock

  /** The builder checks the values; more than two tebibytes in memory do not occur. */
  PendingLimits(int maxPending, long maxPendingBytes, MessagingClock clock) {
    this.maxPending = maxPending;
    this.maxPendingBytes = Math.min(maxPendingBytes, BYTES);
    this.clock = clock;
    this.someRoom = maxPending < MANY ? 1 : maxPending / 4;
  }

  /**
   * Takes room for one send, and waits for it.
   *
   * @param timeout the longest wait; zero or less for none
   * @param setting the name of the setting that the timeout comes from
   * @param from where the sender runs: from inside an asynchronous handler it does not wait
   * @throws QueueFullException with the numbers, if there is no room in that time, or if the thread
   *     is interrupted, which keeps its flag
   * @throws IllegalStateException if it is closed
   */
  void take(int bytes, Duration timeout, String setting, Caller from) throws QueueFullException {
    if (tryTake(bytes)) {
      return;
    }
    if ((state.get() & CLOSED) != 0) {
      throw Intake.closed();
    }
    if (!from.mayWait()) {
      throw full(bytes, "since a send in an asynchronous handler does not wait", null);
    }
    if (timeout.isNegative() || timeout.isZero()) {
      throw full(bytes, "at once, " + setting + " is " + timeout, null);
    }
    await(new Waiter(bytes, from), timeout, setting);
  }

  /** Returns whether no send is pending or waits, and one of that size would not have to. */
  boolean areIdle(int bytes) {
    return state.get() == 0 && bytes <= maxPendingBytes;
  }

  /**
   * Takes room for a send that was made as long as there was any, and is not answered after all.
   */
  void add(int bytes) {
    state.addAndGet(ONE + bytes);
  }

  /** Returns the room of one send. */
  void release(int bytes) {
    long now = state.addAndGet(-ONE - bytes);
    if ((now & WAITING) != 0 && isWorthWaking(now)) {
      lookAgain();
    }
    if ((now & CLOSED) != 0 && (now & NUMBER) == 0) {
      drained.complete(null);
    }
  }

  /**
   * A sender that is woken for each answer sends one message and waits again, which costs far more
   * than the message. So the waiters are woken once there is some room; until then they look for
   * themselves from time to time.
   */
  private boolean isWorthWaking(long now) {
    return (now & NUMBER) >> BYTES_BITS <= maxPending - someRoom
        && (now & BYTES) <= maxPendingBytes - maxPendingBytes / 4;
  }

  private void lookAgain() {
    synchronized (lock) {
      grant();
    }
  }

  long pending() {
    return (state.get() & NUMBER) >> BYTES_BITS;
  }

  long pendingBytes() {
    return state.get() & BYTES;
  }

  /** Refuses the senders that wait outside of handlers. */
  void closeOutside() {
    synchronized (lock) {
      for (Waiter waiter : waiters) {
        if (!waiter.from.isInside()) {
          waiter.end(End.CLOSED);
        }
      }
    }
  }

  /** Refuses all senders from now on; returns a stage that completes once nothing is pending. */
  CompletableFuture<@Nullable Void> close() {
    long now = state.updateAndGet(before -> before | CLOSED);
    synchronized (lock) {
      waiters.forEach(waiter -> waiter.end(End.CLOSED));
    }
    if ((now & NUMBER) == 0) {
      drained.complete(null);
    }
    return drained;
  }

  private boolean tryTake(int bytes) {
    for (; ; ) {
      long now = state.get();
      if ((now & (WAITING | CLOSED)) != 0 || !fits(now, bytes)) {
        return false;
      }
      if (state.compareAndSet(now, now + ONE + bytes)) {
        return true;
      }
    }
  }

  private boolean fits(long now, int bytes) {
    return (now & NUMBER) >> BYTES_BITS < maxPending && (now & BYTES) + bytes <= maxPendingBytes;
  }

  private void await(Waiter waiter, Duration timeout, String setting) throws QueueFullException {
    Timer timer = null;
    try {
      synchronized (lock) {
        waiters.add(waiter);
        grant(); // sets the mark that makes releases look here, and sees room that came before it
        if ((state.get() & CLOSED) != 0) {
          waiter.end(End.CLOSED);
        }
      }
      if (waiter.end == null) {
        timer = clock.schedule(timeout, () -> waiter.end(End.TIMEOUT));
        waiter.await();
      }
    } catch (Throwable e) { // no timer, say: a room that was granted meanwhile goes back
      if (leave(waiter)) {
        release(waiter.bytes);
      }
      throw e;
    } finally {
      if (timer != null) {
        timer.cancel();
      }
    }
    leave(waiter);
    End end = waiter.end;
    if (end == End.CLOSED) {
      throw Intake.closed();
    } else if (end == End.TIMEOUT) {
      throw full(waiter.bytes, "within " + setting + " " + timeout, null);
    } else if (end == End.INTERRUPTED) {
      throw full(waiter.bytes, "until the thread was interrupted", new InterruptedException());
    }
  }

  /** After this the waiter has its room for good, and true is returned, or will never have it. */
  private boolean leave(Waiter waiter) {
    synchronized (lock) {
      waiter.end(End.INTERRUPTED); // unless it has ended otherwise
      if (waiters.remove(waiter)) {
        grant();
      }
      return waiter.end == End.GRANTED;
    }
  }

  /** Gives room to those who wait, as far as it goes. Called under the lock. */
  private void grant() {
    for (Waiter first = waiters.peek(); first != null; first = waiters.peek()) {
      if (first.end == null && !transfer(first)) {
        return;
      }
      waiters.poll();
    }
    state.updateAndGet(before -> before & ~WAITING);
  }

  /** Returns false if the waiter has to go on waiting; then the mark is set. */
  private boolean transfer(Waiter waiter) {
    for (; ; ) {
      long now = state.get();
      boolean fits = fits(now, waiter.bytes) && (now & CLOSED) == 0;
      if (state.compareAndSet(now, fits ? now + ONE + waiter.bytes : now | WAITING)) {
        if (fits && !waiter.end(End.GRANTED)) {
          state.addAndGet(-ONE - waiter.bytes); // its timeout was quicker
        }
        return fits;
      }
    }
  }

  private QueueFullException full(int bytes, String when, @Nullable Throwable cause) {
    return new QueueFullException(
        "no room for a send of " + bytes + " bytes " + when + ": " + pending() + " of maxPending "
            + maxPending + " sends and " + pendingBytes() + " of maxPendingBytes "
            + maxPendingBytes + " bytes have no answer yet",
        cause);
  }

  private enum End {
    GRANTED,
    CLOSED,
    TIMEOUT,
    INTERRUPTED
  }

  /** A sender that waits; its first end stays. */
  private final class Waiter implements ForkJoinPool.ManagedBlocker {
    private final Thread thread = Thread.currentThread();
    private final int bytes;
    private final Caller from;
    private long look = FIRST_LOOK;
    private volatile @Nullable End end;

    Waiter(int bytes, Caller from) {
      this.bytes = bytes;
      this.from = from;
    }

    synchronized boolean end(End how) {
      if (end != null) {
        return false;
      }
      end = how;
      LockSupport.unpark(thread);
      return true;
    }

    /** Waits for an end or an interrupt; a thread of the callbacks has a substitute meanwhile. */
    void await() {
      try {
        ForkJoinPool.managedBlock(this);
      } catch (InterruptedException e) { // not thrown by block()
        thread.interrupt();
      }
    }

    @Override
    public boolean block() {
      LockSupport.parkNanos(this, look);
      look = Math.min(2 * look, LONGEST_LOOK);
      if (!isReleasable()) {
        lookAgain();
      }
      return isReleasable();
    }

    @Override
    public boolean isReleasable() {
      return end != null || thread.isInterrupted();
    }
  }
}
