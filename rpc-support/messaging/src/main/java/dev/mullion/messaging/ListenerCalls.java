package dev.mullion.messaging;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/**
 * Passes events to the user's listener, one at a time on a thread of its own. All methods return at
 * once and never throw, whatever the listener does: its events wait in a bounded queue, drops of
 * one address are merged and reported at most once a second, and what is left out is counted.
 */
final class ListenerCalls {
  static final MessagingListener NONE = new MessagingListener() {};

  private static final int MAX_WAITING = 1024;
  private static final int MAX_ADDRESSES = 10_000;
  private static final Duration INTERVAL = Duration.ofSeconds(1);

  private final MessagingListener listener;
  private final MessagingClock clock;
  private final ThreadPoolExecutor thread;
  private final Map<DropKey, Drops> drops = new ConcurrentHashMap<>();
  private final LongAdder failures = new LongAdder();
  private final LongAdder omitted = new LongAdder();

  ListenerCalls(MessagingListener listener, MessagingClock clock) {
    this.listener = listener;
    this.clock = clock;
    this.thread = new ThreadPoolExecutor(
        1,
        1,
        10,
        TimeUnit.SECONDS,
        new ArrayBlockingQueue<>(MAX_WAITING),
        task -> new ListenerThread(task, this));
    thread.allowCoreThreadTimeOut(true);
  }

  void dropped(String address, Overflow policy, long messages) {
    if (listener == NONE || messages <= 0) {
      return;
    }
    DropKey key = new DropKey(address, policy);
    Drops merged = drops.get(key);
    if (merged == null) {
      if (drops.size() >= MAX_ADDRESSES) {
        omitted.increment();
        return;
      }
      merged = drops.computeIfAbsent(key, Drops::new);
    }
    merged.add(messages);
  }

  void slowConsumer(String address, int buffered, Duration oldest) {
    call(() -> listener.slowConsumer(address, buffered, oldest));
  }

  void handlerFailed(Delivery<?> delivery, Throwable error) {
    call(() -> listener.handlerFailed(delivery, error));
  }

  void deadLettered(DeadLetter letter) {
    call(() -> listener.deadLettered(letter));
  }

  void connectionLost(String where, Throwable cause) {
    call(() -> listener.connectionLost(where, cause));
  }

  void connectionRestored(String where, Duration outage) {
    call(() -> listener.connectionRestored(where, outage));
  }

  /** Returns the number of exceptions that the listener threw. */
  long failures() {
    return failures.sum();
  }

  /** Returns the number of events that were left out since the listener was too slow. */
  long omitted() {
    return omitted.sum();
  }

  /** Returns whether the calling thread is the listener's. */
  boolean isCalling() {
    return Thread.currentThread() instanceof ListenerThread caller && caller.owner == this;
  }

  /**
   * Reports what was merged, lets the listener finish, and interrupts it at the bound. A call by
   * the listener itself does not wait.
   */
  void close(Duration timeout) {
    drops.values().forEach(Drops::report);
    thread.shutdown();
    if (isCalling()) {
      return;
    }
    boolean ended = false;
    try {
      ended = thread.awaitTermination(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      if (!ended) {
        omitted.add(thread.shutdownNow().size());
      }
    }
  }

  private void call(Runnable event) {
    if (listener == NONE) {
      return;
    }
    try {
      thread.execute(() -> guarded(event));
    } catch (Throwable e) { // full, closed, or no thread could be started
      omitted.increment();
    }
  }

  private void guarded(Runnable event) {
    try {
      event.run();
    } catch (Throwable e) {
      failures.increment();
      LimitedLog.warn("listener", "the MessagingListener threw an exception", e);
    }
  }

  private record DropKey(String address, Overflow policy) {}

  /** The drops of one address that the listener does not know yet. */
  private final class Drops {
    private final DropKey key;
    private long untold; // guarded by this
    private boolean scheduled; // guarded by this: a report is on its way
    private long lastReport = clock.nanoTime() - INTERVAL.toNanos(); // guarded by this

    Drops(DropKey key) {
      this.key = key;
    }

    void add(long messages) {
      Duration wait;
      synchronized (this) {
        untold += messages;
        if (scheduled) {
          return;
        }
        scheduled = true;
        wait = INTERVAL.minusNanos(clock.nanoTime() - lastReport);
      }
      schedule(wait);
    }

    private void schedule(Duration wait) {
      if (wait.isNegative() || wait.isZero()) {
        report();
        return;
      }
      try {
        clock.schedule(wait, this::report);
      } catch (Throwable e) { // no timer: the next drop, or the close, reports
        synchronized (this) {
          scheduled = false;
        }
      }
    }

    void report() {
      long messages;
      synchronized (this) {
        messages = untold;
        untold = 0;
        scheduled = false;
        lastReport = clock.nanoTime();
      }
      if (messages > 0) {
        call(() -> listener.dropped(key.address(), key.policy(), messages));
      }
    }
  }

  /** The listener's thread, which knows whose it is. */
  private static final class ListenerThread extends Thread {
    private final ListenerCalls owner;

    ListenerThread(Runnable task, ListenerCalls owner) {
      super(task, "messaging-listener");
      this.owner = owner;
      setDaemon(true);
    }
  }
}
