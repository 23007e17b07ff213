package dev.mullion.net.base;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import java.util.AbstractQueue;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The tasks of a pool that wait for a thread, and its threads that wait for a task.
 *
 * <pre>{@code
 *  offer ---> | task | task | ---> poll, by a thread that runs already
 *                            \---> poll, by the one thread that is being woken:
 *  idle threads, the last first ----/        it wakes the next before it runs its task
 * }</pre>
 *
 * <p>Waking a thread costs far more than a short task. So only one thread is being woken at a time:
 * often the running threads take the tasks before it starts. A task never waits behind another one
 * while a thread is idle, since a thread wakes the next one before its task can block. The thread
 * that was busy last is woken first. Its memory is still in the cache, and threads that are not
 * needed stay idle and end.
 */
final class TaskQueue extends AbstractQueue<Runnable> implements BlockingQueue<Runnable> {
  /** Held for a few assignments. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Deque<Runnable> tasks = new ArrayDeque<>();
  private final Deque<Idle> idle = new ArrayDeque<>();

  /** The thread that has been woken and has not looked for a task since. */
  private @Nullable Idle woken;

  /** A thread that waits for a task. */
  private static final class Idle {
    final Thread thread = Thread.currentThread();
  }

  /** Adds a task if there is an idle thread for it. Otherwise the pool should start a thread. */
  @Override
  public boolean offer(Runnable task) {
    requireNonNull(task, "task");
    Thread next;
    lock.lock();
    try {
      int free = idle.size() + (woken == null ? 0 : 1);
      if (tasks.size() >= free) {
        return false;
      }
      tasks.add(task);
      next = wakeNext();
    } finally {
      lock.unlock();
    }
    LockSupport.unpark(next);
    return true;
  }

  /** Adds a task for the next thread that is free. */
  @Override
  public void put(Runnable task) {
    requireNonNull(task, "task");
    Thread next;
    lock.lock();
    try {
      tasks.add(task);
      next = wakeNext();
    } finally {
      lock.unlock();
    }
    LockSupport.unpark(next);
  }

  /** Under the lock: chooses the thread to wake, unless one is being woken. */
  private @Nullable Thread wakeNext() {
    if (woken != null || tasks.isEmpty()) {
      return null;
    }
    woken = idle.pollLast();
    return woken == null ? null : woken.thread;
  }

  @Override
  public Runnable take() throws InterruptedException {
    Runnable task = null;
    while (task == null) {
      task = poll(Long.MAX_VALUE, NANOSECONDS);
    }
    return task;
  }

  @Override
  public @Nullable Runnable poll(long timeout, TimeUnit unit) throws InterruptedException {
    long begin = System.nanoTime();
    long nanos = unit.toNanos(timeout);
    Idle own = null;
    while (true) {
      Runnable task;
      boolean leaves;
      Thread next = null;
      lock.lock();
      try {
        task = tasks.poll();
        leaves = task != null || nanos <= 0 || Thread.currentThread().isInterrupted();
        if (leaves) {
          leave(own);
          next = wakeNext();
        } else {
          own = stay(own);
        }
      } finally {
        lock.unlock();
      }
      LockSupport.unpark(next);
      if (task != null) {
        return task;
      }
      if (Thread.interrupted()) {
        throw new InterruptedException();
      }
      if (leaves) {
        return null;
      }
      LockSupport.parkNanos(this, nanos);
      nanos = unit.toNanos(timeout) - (System.nanoTime() - begin);
    }
  }

  private void leave(@Nullable Idle own) {
    if (own != null && own == woken) {
      woken = null;
    } else if (own != null) {
      idle.removeLastOccurrence(own);
    }
  }

  /** Makes this thread idle, or idle again if another thread took the task it was woken for. */
  private Idle stay(@Nullable Idle own) {
    if (own == null) {
      Idle first = new Idle();
      idle.add(first);
      return first;
    }
    if (own == woken) {
      woken = null;
      idle.add(own);
    }
    return own;
  }

  @Override
  public @Nullable Runnable poll() {
    lock.lock();
    try {
      return tasks.poll();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public @Nullable Runnable peek() {
    lock.lock();
    try {
      return tasks.peek();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public int size() {
    lock.lock();
    try {
      return tasks.size();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public boolean remove(Object task) {
    lock.lock();
    try {
      return tasks.remove(task);
    } finally {
      lock.unlock();
    }
  }

  /** Returns an iterator over a copy. */
  @Override
  public Iterator<Runnable> iterator() {
    lock.lock();
    try {
      return List.copyOf(tasks).iterator();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public int drainTo(Collection<? super Runnable> to) {
    return drainTo(to, Integer.MAX_VALUE);
  }

  @Override
  public int drainTo(Collection<? super Runnable> to, int most) {
    lock.lock();
    try {
      int moved = 0;
      for (; moved < most && !tasks.isEmpty(); moved++) {
        to.add(tasks.remove());
      }
      return moved;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public boolean offer(Runnable task, long timeout, TimeUnit unit) {
    return offer(task);
  }

  @Override
  public int remainingCapacity() {
    return Integer.MAX_VALUE;
  }
}
