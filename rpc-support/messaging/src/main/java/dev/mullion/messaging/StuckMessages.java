package dev.mullion.messaging;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Gives back what a worker has fetched and cannot start, so that another worker can have it: all
 * handlers of this one are busy, or it is paused, or a message that has to be handled alone is
 * running or waits for those that run, and not one message has begun for a second. It then fetches
 * nothing until a handler returns. It looks once a second, and only while something waits.
 */
final class StuckMessages<T> {
  static final Duration INTERVAL = Duration.ofSeconds(1);

  private final RunningSubscription<T> owner;
  private final MessagingClock clock;
  private final AtomicBoolean looking = new AtomicBoolean();
  private volatile @Nullable Fetched<T> first; // of those that wait, when it looked last

  StuckMessages(RunningSubscription<T> owner, MessagingClock clock) {
    this.owner = owner;
    this.clock = clock;
  }

  /** Begins to look, unless it does already; called when something waits, or may. */
  void watch() {
    if (!looking.get() && looking.compareAndSet(false, true)) {
      first = null;
      lookLater();
    }
  }

  private void lookLater() {
    try {
      clock.schedule(INTERVAL, this::look);
    } catch (Throwable e) { // no timer: the next message tries again
      looking.set(false);
      LimitedLog.warn("stuck", "no timer to look for messages that cannot start", e);
    }
  }

  private void look() {
    Inbox<T> inbox = owner.inbox();
    Effects effects = new Effects();
    List<Fetched<T>> stuck = inbox.takeBackFrom(first, effects);
    if (!stuck.isEmpty()) { // the engine may block
      owner.subscriptions().callbacks().execute(() -> {
        owner.perform(effects);
        stuck.forEach(owner::giveBack);
      });
    }
    first = inbox.firstWaiting();
    if (first != null) {
      lookLater();
      return;
    }
    looking.set(false);
    if (inbox.buffered() > 0) { // it arrived in between
      watch();
    }
  }
}
