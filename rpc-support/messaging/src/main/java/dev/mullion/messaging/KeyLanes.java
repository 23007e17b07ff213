package dev.mullion.messaging;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Keeps the order of each key while several handlers run: one message of a key at a time; others
 * wait in its lane. Messages without a key have no order. Guarded by the inbox's lock.
 */
final class KeyLanes<T> {
  private final Map<String, ArrayDeque<Fetched<T>>> busy = new HashMap<>();

  /** Returns whether this message may be handled now; else it waits in its lane. */
  boolean enter(Fetched<T> delivery) {
    String key = delivery.lane();
    if (key == null || delivery.inLane) {
      return true;
    }
    ArrayDeque<Fetched<T>> lane = busy.get(key);
    if (lane != null) {
      lane.add(delivery);
      return false;
    }
    busy.put(key, new ArrayDeque<>(2));
    delivery.inLane = true;
    return true;
  }

  /** Returns the next message of the key, which holds it now; null if there is none. */
  @Nullable
  Fetched<T> leave(Fetched<T> delivery) {
    String key = delivery.lane();
    if (key == null || !delivery.inLane) {
      return null;
    }
    delivery.inLane = false;
    ArrayDeque<Fetched<T>> lane = busy.get(key);
    Fetched<T> next = lane == null ? null : lane.poll();
    if (next == null) {
      busy.remove(key);
    } else {
      next.inLane = true;
    }
    return next;
  }

  /** Returns one that waits in a lane; null without any. */
  @Nullable
  Fetched<T> first() {
    for (ArrayDeque<Fetched<T>> lane : busy.values()) {
      if (!lane.isEmpty()) {
        return lane.peek();
      }
    }
    return null;
  }

  /** Adds all that wait in lanes. */
  void addTo(List<Fetched<T>> all) {
    busy.values().forEach(all::addAll);
  }

  /** Forgets all that wait in lanes. */
  void clear() {
    busy.values().forEach(ArrayDeque::clear);
  }
}
