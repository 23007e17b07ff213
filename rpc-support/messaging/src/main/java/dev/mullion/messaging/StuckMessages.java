package dev.mullion.messaging;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Gives back what a worker has fetched and cannot start, so that another worker can have it: all
 * handlers of this one are busy, or it is paused, or a message that has to be handled alone is
 * running or waits for those that run, and not one message has begun for a second. It then fetches
 * nothing until a handler returns.
 */
final class StuckMessages<T> extends Lookout {
  private final RunningSubscription<T> owner;
  private volatile @Nullable Fetched<T> first; // of those that wait, when it looked last

  StuckMessages(RunningSubscription<T> owner, MessagingClock clock) {
    super(clock, "messages that cannot start");
    this.owner = owner;
  }

  @Override
  void begin() {
    first = null;
  }

  @Override
  boolean look() {
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
    return first != null;
  }

  @Override
  boolean isNeeded() {
    return owner.inbox().buffered() > 0;
  }
}
