package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Deadline;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The {@link Context} that the service of a call sees. gRPC cancels its own one on event loops and
 * timers, and whoever listens to it may run there. This one has the same values, and is cancelled
 * later, on a thread for callbacks; after a call that ended well, behind its last event.
 */
final class CallContext {
  private final CallTracker.OpenCall open;
  private final Context.CancellableContext own;
  private final AtomicBoolean ending = new AtomicBoolean();
  private volatile Executor afterEvents = Runnable::run;

  /**
   * Makes one of gRPC's own.
   *
   * @param limit an earlier deadline than gRPC's, if the server sets one
   * @param timer what waits for the limit
   * @param expired what runs on the timer when the limit has passed
   */
  CallContext(
      CallTracker.OpenCall open,
      Context outer,
      @Nullable Deadline limit,
      ScheduledExecutorService timer,
      Runnable expired) {
    this.open = open;
    Context forked = outer.fork();
    Deadline deadline = limit == null ? outer.getDeadline() : limit;
    own = deadline == null
        ? forked.withCancellation()
        : forked.withDeadline(deadline, new Expiry(limit == null ? null : timer, expired));
    outer.addListener(this::ended, Runnable::run);
    if (limit != null && own.isCancelled()) {
      expired.run();
    }
  }

  Context context() {
    return own;
  }

  /** Sets what runs the end of a call that ended well, behind its events. */
  void endAfter(CallEvents events) {
    afterEvents = events::executeAnyway;
  }

  /** Called when gRPC's own context is cancelled; without a cause, when the call has ended well. */
  private void ended(Context outer) {
    Throwable cause = outer.cancellationCause();
    if (cause != null) {
      callback(() -> own.cancel(cause));
    } else if (ending.compareAndSet(false, true)) {
      afterEvents.execute(() -> own.cancel(null));
    }
  }

  private void callback(Runnable cancel) {
    if (ending.compareAndSet(false, true)) {
      open.callback(cancel);
    }
  }

  /** What a context waits for its deadline by. */
  private final class Expiry extends AbstractExecutorService implements ScheduledExecutorService {
    private final @Nullable ScheduledExecutorService timer;
    private final Runnable expired;

    /** Without a timer, gRPC's own context has the deadline too and is cancelled by it. */
    Expiry(@Nullable ScheduledExecutorService timer, Runnable expired) {
      this.timer = timer;
      this.expired = expired;
    }

    @Override
    public @Nullable ScheduledFuture<?> schedule(Runnable cancel, long delay, TimeUnit unit) {
      return timer == null
          ? null
          : timer.schedule(
              () -> {
                CallEvents.run(expired);
                callback(cancel);
              },
              delay,
              unit);
    }

    @Override
    public <V> ScheduledFuture<V> schedule(Callable<V> task, long delay, TimeUnit unit) {
      throw new UnsupportedOperationException();
    }

    @Override
    public ScheduledFuture<?> scheduleAtFixedRate(
        Runnable task, long initialDelay, long period, TimeUnit unit) {
      throw new UnsupportedOperationException();
    }

    @Override
    public ScheduledFuture<?> scheduleWithFixedDelay(
        Runnable task, long initialDelay, long delay, TimeUnit unit) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void execute(Runnable task) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void shutdown() {}

    @Override
    public List<Runnable> shutdownNow() {
      return List.of();
    }

    @Override
    public boolean isShutdown() {
      return false;
    }

    @Override
    public boolean isTerminated() {
      return false;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
      return false;
    }
  }
}
