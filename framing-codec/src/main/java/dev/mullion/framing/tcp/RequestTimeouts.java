package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.WARNING;

import dev.mullion.framing.tcp.Place.Request;
import io.netty.util.concurrent.EventExecutor;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The timeouts of a connection's requests, with one timer for all of them. It is set to the
 * earliest deadline, and stays there when that request gets its reply: most requests cost a look at
 * the clock instead of a timer.
 */
final class RequestTimeouts {
  private static final long NEVER = Long.MAX_VALUE;

  /** Deadlines that are less than this apart share one timer. */
  private static final long SHORTEST_WAIT = TimeUnit.MILLISECONDS.toNanos(1);

  private static final long WAIT_AFTER_FAILURE = TimeUnit.SECONDS.toNanos(1);

  /** The clock counts from here, so that two times can be compared. */
  private static final long BEGINNING = System.nanoTime();

  private final EventExecutor loop;
  private final Supplier<List<Request>> pending;
  private final Consumer<Request> onTimeout;

  /** When the timer fires; changed under this object's lock. */
  private volatile long firesAt = NEVER;

  private @Nullable ScheduledFuture<?> timer;
  private boolean ended;

  /**
   * @param pending returns the requests that are not done; called on the event loop
   * @param onTimeout is called on the event loop for each whose deadline has passed
   */
  RequestTimeouts(
      EventExecutor loop, Supplier<List<Request>> pending, Consumer<Request> onTimeout) {
    this.loop = loop;
    this.pending = pending;
    this.onTimeout = onTimeout;
  }

  static long deadline(long timeoutNanos) {
    long now = now();
    return timeoutNanos < NEVER - now ? now + timeoutNanos : NEVER;
  }

  private static long now() {
    return System.nanoTime() - BEGINNING;
  }

  /**
   * Watches a request that is pending already. Any thread may call it.
   *
   * @throws java.util.concurrent.RejectedExecutionException if the event loop has ended
   */
  void watch(Request request) {
    if (request.deadline < firesAt) {
      fireAt(request.deadline);
    }
  }

  private synchronized void fireAt(long deadline) {
    if (ended || deadline >= firesAt) {
      return;
    }
    cancel();
    timer = loop.schedule(this::look, deadline - now(), TimeUnit.NANOSECONDS);
    firesAt = deadline;
  }

  private void look() {
    synchronized (this) {
      // Before it looks at the requests: one that is added later sets the timer itself. This also
      // cancels a timer that was set after this one began to run.
      cancel();
    }
    long next;
    try {
      next = endLateRequests();
    } catch (RuntimeException | Error e) {
      LinkContext.LOG.log(WARNING, "request timeouts failed, checking again in 1 second", e);
      next = now() + WAIT_AFTER_FAILURE;
    }
    fireAt(next);
  }

  /** Returns when to look again. */
  private long endLateRequests() {
    long now = now();
    long next = NEVER;
    for (Request request : pending.get()) {
      if (request.deadline <= now) {
        onTimeout.accept(request);
      } else {
        next = Math.min(next, request.deadline);
      }
    }
    return Math.max(next, now + SHORTEST_WAIT);
  }

  /** No more requests are watched. Any thread may call it. */
  synchronized void end() {
    ended = true;
    cancel();
  }

  private void cancel() {
    if (timer != null) {
      timer.cancel(false);
      timer = null;
    }
    firesAt = NEVER;
  }
}
