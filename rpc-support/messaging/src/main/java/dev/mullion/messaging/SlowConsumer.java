package dev.mullion.messaging;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Tells the listener about a live subscriber in whose buffer the oldest message has waited for more
 * than ten seconds. It looks once a second, and only while something waits.
 */
final class SlowConsumer<T> {
  private static final Duration INTERVAL = Duration.ofSeconds(1);
  private static final long LIMIT = Duration.ofSeconds(10).toNanos();

  private final RunningSubscription<T> owner;
  private final ListenerCalls listener;
  private final MessagingClock clock;
  private final AtomicBoolean looking = new AtomicBoolean();
  private long told = -LIMIT; // by the timer only: when the listener was last told

  SlowConsumer(RunningSubscription<T> owner, ListenerCalls listener, MessagingClock clock) {
    this.owner = owner;
    this.listener = listener;
    this.clock = clock;
  }

  /** Begins to look, unless it does already; called when something waits. */
  void watch() {
    if (!looking.get() && looking.compareAndSet(false, true)) {
      owner.inbox().oldestSeen(owner.now());
      clock.schedule(INTERVAL, this::look);
    }
  }

  private void look() {
    long now = owner.now();
    long oldest = owner.inbox().oldestSeen(now);
    if (oldest < 0) {
      looking.set(false);
      if (owner.inbox().buffered() > 0) { // arrived in between
        watch();
      }
      return;
    }
    if (now - oldest > LIMIT && now - told >= LIMIT) {
      told = now;
      listener.slowConsumer(
          owner.address(), owner.inbox().buffered(), Duration.ofNanos(now - oldest));
    }
    clock.schedule(INTERVAL, this::look);
  }
}
