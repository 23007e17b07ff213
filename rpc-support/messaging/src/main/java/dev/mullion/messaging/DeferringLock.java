package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A lock, and what the thread that has it leaves itself to do once it has left it: to hand out, to
 * complete stages, to write. All but {@link #enter} and {@link #leave} are called under the lock.
 */
final class DeferringLock {
  private final ReentrantLock lock = new ReentrantLock();
  private @Nullable EmbeddedSource assigned;
  private @Nullable List<Runnable> tasks;

  void enter() {
    lock.lock();
  }

  /** Assigns a parcel to a source with credit; it is handed out after {@link #leave}. */
  void give(Parcel parcel, EmbeddedSource source) {
    if (source.assign(parcel)) {
      source.nextAssigned = assigned;
      assigned = source;
    }
  }

  /** Runs a task after {@link #leave}. */
  void later(Runnable task) {
    if (tasks == null) {
      tasks = new ArrayList<>();
    }
    tasks.add(task);
  }

  /**
   * Leaves the lock, and does what is left to do; hands out on this thread only if {@code here}.
   */
  void leave(boolean here) {
    EmbeddedSource first = announce();
    List<Runnable> rest = tasks;
    tasks = null;
    lock.unlock();
    finish(first, rest, here);
  }

  /** Leaves the lock, and returns what is left to do, for a caller that has another lock. */
  Runnable leaveForLater() {
    EmbeddedSource first = announce();
    List<Runnable> rest = tasks;
    tasks = null;
    lock.unlock();
    return () -> finish(first, rest, true);
  }

  /** Returns the sources, of those with new parcels, whose turn this thread now has. */
  private @Nullable EmbeddedSource announce() {
    EmbeddedSource turns = null;
    for (EmbeddedSource source = assigned; source != null; ) {
      EmbeddedSource following = source.nextAssigned;
      source.nextAssigned = null;
      if (source.announce()) {
        source.nextTurn = turns;
        turns = source;
      }
      source = following;
    }
    assigned = null;
    return turns;
  }

  private static void finish(
      @Nullable EmbeddedSource first, @Nullable List<Runnable> rest, boolean here) {
    if (first != null) {
      EmbeddedSource.runTurns(first, here);
    }
    if (rest != null) {
      rest.forEach(DeferringLock::run);
    }
  }

  /** Runs a task; the others, which end what others wait for, have to run if it fails. */
  private static void run(Runnable task) {
    try {
      task.run();
    } catch (Throwable e) {
      LimitedLog.warn("deferred", "what follows from a change of a queue failed", e);
    }
  }
}
