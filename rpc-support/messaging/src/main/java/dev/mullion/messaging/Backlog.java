package dev.mullion.messaging;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What waits for a handler, and which of it may start next. Guarded by the inbox's lock.
 *
 * <pre>
 *  add --&gt; ready ---------------&gt; poll
 *            |  '-- lane  -------'   once its key is no longer being handled
 *            '----- suspects ----'   once it can run alone
 * </pre>
 */
final class Backlog<T> {
  private final RunningSubscription<T> owner;
  private final Alone alone;
  private final @Nullable KeyLanes<T> lanes;
  private final ArrayDeque<Fetched<T>> ready = new ArrayDeque<>();
  private final ArrayDeque<Fetched<T>> suspects = new ArrayDeque<>();
  private int size;
  private boolean reserved; // the right to handle alone is ours
  private boolean aloneRuns;

  Backlog(RunningSubscription<T> owner, Alone alone, boolean keepsKeyOrder) {
    this.owner = owner;
    this.alone = alone;
    this.lanes = keepsKeyOrder ? new KeyLanes<>() : null;
  }

  void add(Fetched<T> delivery) {
    ready.add(delivery);
    size++;
  }

  /** Puts one back that was polled and did not begin, before all others. */
  void putBack(Fetched<T> delivery) {
    ready.addFirst(delivery);
    size++;
  }

  int size() {
    return size;
  }

  /** Returns how many may be able to start now; some of them may have to wait after all. */
  int startable() {
    return aloneRuns ? 0 : ready.size() + suspects.size();
  }

  /**
   * Returns the next one, or null if none may start now.
   *
   * @param othersRun whether handlers are under way
   */
  @Nullable
  Fetched<T> poll(boolean othersRun) {
    if (aloneRuns) {
      return null;
    }
    if (!suspects.isEmpty() && reserve()) {
      return pollAlone(othersRun);
    }
    Fetched<T> first = pollReady();
    return first == null && reserved ? pollAlone(othersRun) : first;
  }

  /** Returns the next one that may start beside others; suspects and busy keys are put aside. */
  @Nullable
  Fetched<T> pollReady() {
    for (Fetched<T> next = ready.poll(); next != null; next = ready.poll()) {
      if (next.suspect) {
        suspects.add(next);
        if (reserve()) {
          return null; // no other starts before it
        }
      } else if (lanes == null || lanes.enter(next)) {
        size--;
        return next;
      }
    }
    return null;
  }

  private boolean reserve() {
    if (!reserved) {
      reserved = alone.acquire(owner);
    }
    return reserved;
  }

  private @Nullable Fetched<T> pollAlone(boolean othersRun) {
    if (othersRun) {
      return null;
    }
    aloneRuns = true;
    size--;
    return suspects.remove();
  }

  /** Returns whether none may start while others run. */
  boolean isHeld() {
    return aloneRuns || (reserved && !suspects.isEmpty());
  }

  /** Returns whether the one that was polled last has to be handled alone. */
  boolean aloneRuns() {
    return aloneRuns;
  }

  /** Ends the turn of the one that was handled alone; its owner releases the right. */
  void endAlone() {
    aloneRuns = false;
    reserved = false;
  }

  /** Takes notice that a message has ended: the next one of its key may start. */
  void ended(Fetched<T> delivery) {
    if (lanes != null) {
      Fetched<T> next = lanes.leave(delivery);
      if (next != null) {
        ready.addFirst(next);
      }
    }
  }

  /** Gives up an unused right to handle alone; returns whether it has to be released. */
  boolean unreserve() {
    boolean unused = reserved && !aloneRuns;
    if (unused) {
      reserved = false;
    }
    return unused;
  }

  /** Removes all. */
  void drain() {
    ready.clear();
    suspects.clear();
    if (lanes != null) {
      lanes.clear();
    }
    size = 0;
  }

  /** Returns all; suspects first, which came before those that wait behind them. */
  List<Fetched<T>> all() {
    List<Fetched<T>> all = new ArrayList<>(suspects);
    all.addAll(ready);
    if (lanes != null) {
      lanes.addTo(all);
    }
    return all;
  }

  /** Returns one that waits, if possible one that may start next; null without any. */
  @Nullable
  Fetched<T> first() {
    Fetched<T> first = ready.peek();
    if (first == null && lanes != null) {
      first = lanes.first();
    }
    return first == null ? suspects.peek() : first;
  }
}
