package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.mullion.net.base.Check;
import dev.mullion.net.base.DaemonThreads;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Ends calls that exceed the server's timeouts; a duration of zero sets no limit. */
final class CallTimeouts implements AutoCloseable {
  private final @Nullable Duration defaultTimeout;
  private final Duration maxTimeout;
  private final MethodTimeouts methods;
  private final RpcCounters counters;
  private final ScheduledThreadPoolExecutor timer;
  private final AtomicBoolean ticks = new AtomicBoolean();

  CallTimeouts(
      @Nullable Duration defaultTimeout,
      Duration maxTimeout,
      MethodTimeouts methods,
      RpcCounters counters) {
    this.defaultTimeout = defaultTimeout;
    this.maxTimeout = maxTimeout;
    this.methods = methods;
    this.counters = counters;
    // The timer's thread starts with the first timeout.
    this.timer = new ScheduledThreadPoolExecutor(1, DaemonThreads.named("mullion-rpc-timer"));
    timer.setRemoveOnCancelPolicy(true);
  }

  /**
   * Ends calls that wait for a thread longer than a limit, and checks four times within the limit.
   */
  void limitWaiting(CallRegistry registry, Duration limit, Status status) {
    long nanos = Check.nanos(limit);
    long interval = Math.min(nanos / 4, SECONDS.toNanos(1));
    timer.scheduleWithFixedDelay(
        () -> CallExecutor.run(() -> registry.endWaiting(nanos, status)),
        interval,
        interval,
        NANOSECONDS);
  }

  ScheduledExecutorService timer() {
    return timer;
  }

  /**
   * Returns a context for a call, whose timeout starts now.
   *
   * @param newEvents creates the executor of the call's events for that context; null if the call
   *     needs none
   */
  CallContext newContext(
      OpenCall open,
      MethodDescriptor<?, ?> method,
      @Nullable Function<Context, CallExecutor> newEvents) {
    Context current = Context.current();
    Deadline deadline = current.getDeadline();
    Duration own = methods.find(method);
    Duration ofDefault = MethodTimeouts.byDefault(defaultTimeout, method);
    // The maximum may be shorter than the built-in default.
    boolean byDefault = deadline == null
        && !ofDefault.isZero()
        && (maxTimeout.isZero() || ofDefault.compareTo(maxTimeout) <= 0);
    Duration timeout = own != null ? own : byDefault ? ofDefault : maxTimeout;
    long nanos = Check.nanos(timeout);
    if (nanos == 0 || (deadline != null && deadline.timeRemaining(NANOSECONDS) <= nanos)) {
      return new CallContext(open, current, null, newEvents);
    }
    String setting = own != null ? "its timeout " : byDefault ? "defaultTimeout " : "maxTimeout ";
    Status status =
        Status.DEADLINE_EXCEEDED.withDescription("call took longer than " + setting + timeout);
    tick();
    Runnable expired = () -> {
      if (open.cut(status)) {
        counters.callsTimedOut.increment();
      }
    };
    CallContext.Limit limit =
        new CallContext.Limit(Deadline.after(nanos, NANOSECONDS), timer, expired);
    return new CallContext(open, current, limit, newEvents);
  }

  /**
   * Adds a periodic task that precedes most timeouts. Scheduling the earliest task wakes the
   * timer's thread, and on a server with one call at a time each timeout would be the earliest.
   */
  private void tick() {
    if (!ticks.get() && ticks.compareAndSet(false, true)) {
      timer.scheduleWithFixedDelay(() -> {}, 1, 1, SECONDS);
    }
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
