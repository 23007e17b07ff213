package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
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

  /** What is the current one where the own is attached. */
  private final Context context;

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
    Context before = own.attach();
    context = Context.current();
    own.detach(before);
    outer.addListener(this::ended, Runnable::run);
    if (limit != null && own.isCancelled()) {
      expired.run();
    }
  }

  Context context() {
    return context;
  }

  /** Sets what runs the end of a call that ended well, behind its events. */
  void endAfter(CallEvents events) {
    afterEvents = events::executeAnyway;
  }

  /** Called when gRPC's own context is cancelled; without a cause, when the call's status was sent. */
  private void ended(Context outer) {
    if (!ending.compareAndSet(false, true)) {
      return;
    }
    Status inItsPlace = open.ended();
    Throwable cause = outer.cancellationCause() == null && inItsPlace != null
        ? inItsPlace.asRuntimeException()
        : outer.cancellationCause();
    if (cause == null) {
      afterEvents.execute(() -> own.cancel(null));
    } else {
      open.callback(() -> own.cancel(cause));
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
                // Before the end of the call is news, which has another cause.
                boolean first = ending.compareAndSet(false, true);
                CallEvents.run(expired);
                if (first) {
                  open.callback(cancel);
                }
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
