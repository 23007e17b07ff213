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
 * The {@link Context} that the service of a call sees. gRPC cancels its own context on event loops
 * and timers, and listeners would run there. This context has the same values, and is cancelled
 * later, on a callback thread. If the call completed normally, it is cancelled after the last
 * event.
 */
final class CallContext {
  /** How long an expired call waits for a callback thread before it ends without one. */
  private static final long FOR_A_THREAD = MILLISECONDS.toNanos(50);

  private final OpenCall open;
  private final Context.CancellableContext own;

  /** The current context while {@code own} is attached. */
  private final Context context;

  /** Null if the call's events need no executor, since none of them may block. */
  private final @Nullable CallExecutor events;

  private final AtomicBoolean ending = new AtomicBoolean();

  /**
   * A deadline that the server sets.
   *
   * @param deadline earlier than gRPC's own
   * @param timer waits for the deadline
   * @param expired ends the call after the deadline; may run twice
   */
  record Limit(Deadline deadline, ScheduledExecutorService timer, Runnable expired) {}

  /**
   * Creates a context from gRPC's own.
   *
   * @param limit null if the server sets no earlier deadline
   * @param newEvents creates the executor of the call's events for this context; null if the call
   *     needs none
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
      // The first listener, so that it runs before slow ones. The context is cancelled before the
      // end of the call is visible.
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

  /** Cancels the context unless it has ended or is ending. */
  void cancel(Status status) {
    if (ending.compareAndSet(false, true)) {
      Status byServer = open.ended();
      Throwable cause =
          (byServer == null || byServer.isOk() ? status : byServer).asRuntimeException();
      open.callback(() -> own.cancel(cause));
    }
  }

  /**
   * Called when gRPC's own context is cancelled. There is no cause if the call's status was sent.
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

  /** The timer of a context's deadline. */
  private final class Expiry extends AbstractExecutorService implements ScheduledExecutorService {
    private final @Nullable Limit limit;

    /** Without a limit, gRPC's own context has the same deadline, which cancels it. */
    Expiry(@Nullable Limit limit) {
      this.limit = limit;
    }

    @Override
    public @Nullable ScheduledFuture<?> schedule(Runnable cancel, long delay, TimeUnit unit) {
      return limit == null
          ? null
          : limit.timer().schedule(() -> expire(limit, cancel), delay, unit);
    }

    /** Cancels on a callback thread, but ends the call without one if all of them are busy. */
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
