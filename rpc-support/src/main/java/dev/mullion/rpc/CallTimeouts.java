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

/** Ends calls that take longer than the server lets them; a duration of zero sets no limit. */
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
    // Its thread starts with the first timeout.
    this.timer = new ScheduledThreadPoolExecutor(1, DaemonThreads.named("mullion-rpc-timer"));
    timer.setRemoveOnCancelPolicy(true);
  }

  /**
   * Has calls ended that wait for a thread longer than a time, which is looked at four times in it.
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
   * Returns a context for a call, whose time begins now and is limited.
   *
   * @param newEvents makes the executor of the call's events, in that context; null if it needs
   *     none
   */
  CallContext newContext(
      OpenCall open,
      MethodDescriptor<?, ?> method,
      @Nullable Function<Context, CallExecutor> newEvents) {
    Context current = Context.current();
    Deadline deadline = current.getDeadline();
    Duration own = methods.find(method);
    Duration ofDefault = MethodTimeouts.byDefault(defaultTimeout, method);
    // The maximum may be shorter than a default that nobody has set.
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
   * A task that is the next one of the timer wakes its thread. On a server that has one call at a
   * time each would be that, so there is one that comes before most.
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
