package dev.mullion.messaging;

import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Tells the listener about a live subscriber whose oldest waiting message has waited for more than
 * ten seconds, here or in the engine. It looks once a second, and only while something waits or is
 * being handled.
 */
final class SlowConsumer<T> extends Lookout {
  private static final long LIMIT = Duration.ofSeconds(10).toNanos();

  private final RunningSubscription<T> owner;
  private final ListenerCalls listener;
  private long told = -LIMIT; // by the timer only: when the listener was last told

  SlowConsumer(RunningSubscription<T> owner, ListenerCalls listener, MessagingClock clock) {
    super(clock, "slow consumers");
    this.owner = owner;
    this.listener = listener;
  }

  @Override
  void begin() {
    owner.inbox().oldestSeen(owner.now());
  }

  @Override
  boolean look() {
    try {
      return check(owner.now());
    } catch (Throwable e) { // of the engine
      LimitedLog.warn("slow", "the engine failed in Source.buffer (" + owner.address() + ")", e);
      return true;
    }
  }

  @Override
  boolean isNeeded() {
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
    return buffered > 0 || isNeeded();
  }
}
