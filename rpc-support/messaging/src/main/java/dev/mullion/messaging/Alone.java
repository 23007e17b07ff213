package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The right to handle a message that may have killed its process. One subscription of a {@code
 * Messaging} has it at a time, so that such a message takes no other of its kind along.
 */
final class Alone {
  private final Set<RunningSubscription<?>> waiting = new LinkedHashSet<>();
  private @Nullable RunningSubscription<?> holder;

  /** Takes the right; if another has it, the caller is woken when that is over. */
  synchronized boolean acquire(RunningSubscription<?> subscription) {
    if (holder == null) {
      holder = subscription;
      waiting.remove(subscription);
      return true;
    }
    waiting.add(subscription);
    return false;
  }

  /** Passes the right on; called under no lock. */
  void release(RunningSubscription<?> subscription) {
    List<RunningSubscription<?>> next;
    synchronized (this) {
      if (holder != subscription) {
        return;
      }
      holder = null;
      next = new ArrayList<>(waiting);
      waiting.clear();
    }
    next.forEach(RunningSubscription::wake);
  }

  synchronized void forget(RunningSubscription<?> subscription) {
    waiting.remove(subscription);
  }
}
