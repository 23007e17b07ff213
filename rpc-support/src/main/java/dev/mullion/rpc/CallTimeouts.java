package dev.mullion.rpc;

import static com.google.common.util.concurrent.MoreExecutors.directExecutor;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** Ends calls that take longer than the server lets them; a duration of zero sets no limit. */
final class CallTimeouts implements AutoCloseable {
  private final Duration defaultTimeout;
  private final Duration maxTimeout;
  private final MethodTimeouts methods;
  private final RpcCounters counters;
  private final ScheduledThreadPoolExecutor timer;

  CallTimeouts(
      Duration defaultTimeout, Duration maxTimeout, MethodTimeouts methods, RpcCounters counters) {
    this.defaultTimeout = defaultTimeout;
    this.maxTimeout = maxTimeout;
    this.methods = methods;
    this.counters = counters;
    // Its thread starts with the first timeout.
    this.timer = new ScheduledThreadPoolExecutor(1, task -> {
      Thread thread = new Thread(task, "mullion-rpc-timer");
      thread.setDaemon(true);
      return thread;
    });
    timer.setRemoveOnCancelPolicy(true);
  }

  /** Returns the context to run a call in, or null if that is the current one. */
  @Nullable
  Context limit(GuardedCall<?, ?> call) {
    Context current = Context.current();
    Deadline deadline = current.getDeadline();
    Duration own = methods.find(call.getMethodDescriptor());
    boolean byDefault = deadline == null && !defaultTimeout.isZero();
    Duration timeout = own != null ? own : byDefault ? defaultTimeout : maxTimeout;
    long nanos = Check.nanos(timeout);
    if (nanos == 0 || (deadline != null && deadline.timeRemaining(NANOSECONDS) <= nanos)) {
      return null;
    }
    String setting = own != null ? "its timeout " : byDefault ? "defaultTimeout " : "maxTimeout ";
    Status status =
        Status.DEADLINE_EXCEEDED.withDescription("call took longer than " + setting + timeout);
    Context.CancellableContext limited = current.withDeadlineAfter(nanos, NANOSECONDS, timer);
    limited.addListener(
        context -> {
          if (context.cancellationCause() instanceof TimeoutException
              && call.end(status, new Metadata())) {
            counters.callsTimedOut.increment();
          }
        },
        directExecutor());
    return limited;
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}
