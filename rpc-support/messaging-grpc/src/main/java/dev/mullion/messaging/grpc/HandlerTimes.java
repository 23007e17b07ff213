package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The times of the handlers of one client, which may be dead or stuck. */
final class HandlerTimes {
  /** What a client that keeps a handler's time itself may be late. */
  private static final Duration GRACE = Duration.ofSeconds(2);

  private static final long MOMENT_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private final MessagingClock clock;
  private final Collection<Held> held;
  private final Executor executor;

  /** These are guarded by this. */
  private MessagingClock.@Nullable Timer timer;

  private long timerDue;

  /**
   * Creates the times.
   *
   * @param held the client's deliveries of each moment
   * @param executor runs what may block
   */
  HandlerTimes(MessagingClock clock, Collection<Held> held, Executor executor) {
    this.clock = clock;
    this.held = held;
    this.executor = executor;
  }

  /** Returns when a time ends that begins now. */
  long after(Held delivery, Duration time) {
    long grace = delivery.subscription.announces() ? GRACE.toNanos() : 0;
    return clock.nanoTime() + WireMessages.nanos(time) + grace;
  }

  synchronized void stop() {
    if (timer != null) {
      timer.cancel();
    }
  }

  /** Ends deliveries whose time is over; one timer for all. */
  void watch(long deadline) {
    synchronized (this) {
      if (timer != null && timerDue - deadline <= 0) {
        return;
      }
      if (timer != null) {
        timer.cancel();
        timer = null; // if there is no new one, the next call tries again
      }
      timerDue = deadline;
      // Each look is at all deliveries, so one stands for all deadlines of a moment.
      long left = Math.max(MOMENT_NANOS, deadline - clock.nanoTime());
      timer = clock.schedule(Duration.ofNanos(left), () -> executor.execute(this::expire));
    }
  }

  private void expire() {
    synchronized (this) {
      timer = null;
    }
    long now = clock.nanoTime();
    Long next = null;
    for (Held each : held) {
      Route.Queue queue = each.subscription.queue();
      Long deadline = each.deadline();
      if (queue != null && deadline != null) {
        if (deadline - now <= 0) {
          each.failed(queue, "not settled within handlerTimeout " + queue.handlerTimeout());
        } else if (next == null || deadline - next < 0) {
          next = deadline;
        }
      }
    }
    if (next != null) {
      watch(next);
    }
  }
}
