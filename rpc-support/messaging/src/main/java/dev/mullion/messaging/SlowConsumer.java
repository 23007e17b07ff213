package dev.mullion.messaging;

import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Tells the listener about a live subscriber whose oldest waiting message has waited for more than
 * ten seconds, here or in the engine. It looks once a second, and only while something waits or is
 * being handled.
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

  /** Begins to look, unless it does already; called when something waits, or may. */
  void watch() {
    if (!looking.get() && looking.compareAndSet(false, true)) {
      owner.inbox().oldestSeen(owner.now());
      lookLater();
    }
  }

  private void lookLater() {
    try {
      clock.schedule(INTERVAL, this::look);
    } catch (Throwable e) { // no timer: the next message tries again
      looking.set(false);
      LimitedLog.warn("slow", "no timer to look for slow consumers", e);
    }
  }

  private void look() {
    boolean more = true;
    try {
      more = check(owner.now());
    } catch (Throwable e) { // of the engine
      LimitedLog.warn("slow", "the engine failed in Source.buffer (" + owner.address() + ")", e);
    }
    if (more) {
      lookLater();
      return;
    }
    looking.set(false);
    if (isBusy()) { // it arrived in between
      watch();
    }
  }

  private boolean isBusy() {
    return owner.inbox().buffered() > 0
        || (owner.isBufferedInEngine() && owner.inbox().handlersRunning() > 0);
  }

  /** Tells the listener if it has to know; returns whether there is more to look for. */
  private boolean check(long now) {
    long oldest = owner.inbox().oldestSeen(now);
    int buffered = owner.inbox().buffered();
    long waited = oldest < 0 ? 0 : now - oldest;
    if (owner.isBufferedInEngine() || waited > LIMIT) {
      Source.Buffer buffer = owner.source().buffer();
      buffered += buffer.messages();
      waited = Math.max(waited, TimeUnit.NANOSECONDS.convert(buffer.oldest()));
    }
    if (buffered > 0 && waited > LIMIT && now - told >= LIMIT) {
      told = now;
      listener.slowConsumer(owner.address(), buffered, Duration.ofNanos(waited));
    }
    return buffered > 0 || isBusy();
  }
}
