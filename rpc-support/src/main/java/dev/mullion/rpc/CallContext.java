package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import java.util.List;
import java.util.concurrent.AbstractExecutorService;
import java.util.concurrent.Callable;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The {@link Context} that the service of a call sees. gRPC cancels its own one on event loops and
 * timers, and whoever listens to it may run there. This one has the same values, and is cancelled
 * later, on a thread for callbacks; after a call that ended well, behind its last event.
 */
final class CallContext {
  /** How long a call whose time is over waits for a thread for callbacks before it ends without. */
  private static final long FOR_A_THREAD = MILLISECONDS.toNanos(50);

  private final OpenCall open;
  private final Context.CancellableContext own;

  /** What is the current one where the own is attached. */
  private final Context context;

  /** Null if the call's events need no executor, since none of them may wait. */
  private final @Nullable CallExecutor events;

  private final AtomicBoolean ending = new AtomicBoolean();

  /**
   * A deadline of the server's.
   *
   * @param deadline earlier than gRPC's own
   * @param timer what waits for it
   * @param expired what ends the call when it has passed, perhaps twice
   */
  record Limit(Deadline deadline, ScheduledExecutorService timer, Runnable expired) {}

  /**
   * Makes one of gRPC's own.
   *
   * @param limit null if the server sets no earlier deadline
   * @param newEvents makes the executor of the call's events, in this context; null if it needs
   *     none
   */
  CallContext(
      OpenCall open,
      Context outer,
      @Nullable Limit limit,
      @Nullable Function<Context, CallExecutor> newEvents) {
    this.open = open;
    Context forked = outer.fork();
    Deadline deadline = limit == null ? outer.getDeadline() : limit.deadline();
    own = deadline == null
        ? forked.withCancellation()
        : forked.withDeadline(deadline, new Expiry(limit));
    if (limit != null) {
      // The first listener, so before any that is slow: whoever sees the end finds the context
      // cancelled.
      own.addListener(
          cancelled -> {
            if (cancelled.cancellationCause() instanceof TimeoutException) {
              CallExecutor.run(limit.expired());
            }
          },
          Runnable::run);
    }
    Context before = own.attach();
    context = Context.current();
    own.detach(before);
    events = newEvents == null ? null : newEvents.apply(context);
    outer.addListener(this::ended, Runnable::run);
  }

  Context context() {
    return context;
  }

  @Nullable
  CallExecutor events() {
    return events;
  }

  /** Cancels it, unless it has ended or will. */
  void cancel(Status status) {
    if (ending.compareAndSet(false, true)) {
      Status inItsPlace = open.ended();
      Throwable cause =
          (inItsPlace == null || inItsPlace.isOk() ? status : inItsPlace).asRuntimeException();
      open.callback(() -> own.cancel(cause));
    }
  }

  /**
   * Called when gRPC's own context is cancelled; without a cause, when the call's status was sent.
   */
  private void ended(Context outer) {
    Throwable cause = outer.cancellationCause();
    if (cause == null && open.ended() != null) {
      cancel(Status.CANCELLED);
    } else if (!ending.compareAndSet(false, true)) {
      return;
    } else if (cause != null) {
      open.callback(() -> own.cancel(cause));
    } else if (events == null) {
      own.cancel(null);
    } else {
      events.executeAnyway(() -> own.cancel(null));
    }
  }

  /** What a context waits for its deadline by. */
  private final class Expiry extends AbstractExecutorService implements ScheduledExecutorService {
    private final @Nullable Limit limit;

    /** Without a limit, gRPC's own context has the deadline too and is cancelled by it. */
    Expiry(@Nullable Limit limit) {
      this.limit = limit;
    }

    @Override
    public @Nullable ScheduledFuture<?> schedule(Runnable cancel, long delay, TimeUnit unit) {
      return limit == null
          ? null
          : limit.timer().schedule(() -> expire(limit, cancel), delay, unit);
    }

    /**
     * All threads for callbacks may be taken by others, which is not to hold up the end of the
     * call.
     */
    private void expire(Limit limit, Runnable cancel) {
      if (ending.compareAndSet(false, true)) {
        open.callback(cancel);
        limit
            .timer()
            .schedule(
                () -> {
                  if (!own.isCancelled()) {
                    CallExecutor.run(limit.expired());
                  }
                },
                FOR_A_THREAD,
                NANOSECONDS);
      }
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
