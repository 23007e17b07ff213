package dev.mullion.messaging;

import dev.mullion.messaging.MessagingClock.Timer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Ends handlers that run for longer than {@code handlerTimeout}. One timer for all calls of a
 * subscription is set to the earliest deadline, so a call usually costs no timer of its own.
 */
final class HandlerTimeouts<T> {
  private static final Duration RETRY = Duration.ofSeconds(1);
  private static final long LEAST_COARSE = TimeUnit.SECONDS.toNanos(1);

  private final RunningSubscription<T> owner;
  private final MessagingClock clock;
  private final Executor callbacks;
  private final Duration timeout;
  private final long timeoutNanos;
  private volatile long set = HandlerCall.NEVER; // when the timer runs
  private @Nullable Timer timer; // guarded by this
  private long timers; // guarded by this: the number of the latest timer

  HandlerTimeouts(
      RunningSubscription<T> owner, MessagingClock clock, Executor callbacks, Duration timeout) {
    this.owner = owner;
    this.clock = clock;
    this.callbacks = callbacks;
    this.timeout = timeout;
    this.timeoutNanos = TimeUnit.NANOSECONDS.convert(timeout);
  }

  /** Sets the deadline of a call that is about to begin, if its timeout is no short one. */
  void prepare(HandlerCall<T> call) {
    if (timeoutNanos >= LEAST_COARSE) {
      call.prepareDeadline(after(owner.coarseNow(), timeoutNanos));
    }
  }

  /** Starts the time of a call. */
  void start(HandlerCall<T> call) {
    if (call.hasDeadline()) {
      watch(call.deadlineNanos());
      return;
    }
    long now = timeoutNanos < LEAST_COARSE ? owner.now() : owner.coarseNow();
    long deadline = after(now, timeoutNanos);
    call.setDeadline(deadline);
    watch(deadline);
  }

  /** Sets the timer, after the deadline was set: {@link #check} does it the other way around. */
  void watch(long deadline) {
    if (deadline < set) {
      set(deadline);
    }
  }

  private void set(long deadline) {
    Timer before;
    long number;
    synchronized (this) {
      if (deadline >= set) {
        return;
      }
      set = deadline;
      number = ++timers;
      before = timer;
      timer = null;
    }
    if (before != null) {
      before.cancel();
    }
    boolean started = false;
    try {
      keep(number, owner.timerAt(deadline, () -> hop(number)));
      started = true;
    } finally {
      if (!started) {
        forget(number);
      }
    }
  }

  /** Lets the next call set a timer: there is none. */
  private synchronized void forget(long number) {
    if (number == timers) {
      set = HandlerCall.NEVER;
    }
  }

  private void keep(long number, Timer next) {
    synchronized (this) {
      if (number == timers) {
        timer = next;
        return;
      }
    }
    next.cancel();
  }

  /** Cancels the timer: no handler is left. */
  void close() {
    Timer last;
    synchronized (this) {
      timers++;
      last = timer;
      timer = null;
    }
    if (last != null) {
      last.cancel();
    }
  }

  /** Leaves the timer's thread, since an engine may block and the listener is the user's. */
  private void hop(long number) {
    try {
      callbacks.execute(() -> check(number));
    } catch (Throwable e) { // Error too, such as no memory for a thread
      LimitedLog.warn("timeout", "no thread to check handlerTimeout; will retry", e);
      keep(number, clock.schedule(RETRY, () -> hop(number)));
    }
  }

  private void check(long number) {
    synchronized (this) {
      if (number != timers) {
        return;
      }
      set = HandlerCall.NEVER;
    }
    Effects effects = new Effects();
    List<Fetched<T>> cut = owner.inbox().expire(owner.now(), effects);
    long next = owner.inbox().earliestDeadline();
    if (next != HandlerCall.NEVER) {
      set(next);
    }
    owner.perform(effects);
    cut.forEach(each -> owner.cut(each, Ending.TIMED_OUT, error(each)));
  }

  private TimeoutException error(Fetched<T> delivery) {
    return new TimeoutException("handler did not return within handlerTimeout " + timeout + " ("
        + delivery.address() + ", message " + delivery.raw.message().id() + ", delivery "
        + delivery.deliveryCount + ")");
  }

  static long after(long now, long nanos) {
    return nanos >= HandlerCall.NEVER - now ? HandlerCall.NEVER : now + nanos;
  }
}
