package dev.mullion.messaging;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The keys of an ordered queue: which of them are taken, since one of their jobs is handed out or
 * waits for its delay, and the jobs that are blocked behind it. Guarded by its queue's lock.
 */
final class JobLanes {
  private final Map<String, Lane> lanes = new HashMap<>();
  private final TreeSet<QueuedJob> firsts = new TreeSet<>(QueuedJob::byNumber); // of each lane

  /** Takes the key for a job that is to be handed out; false if the job is blocked instead. */
  boolean enter(QueuedJob job, String key) {
    Lane lane = lanes.computeIfAbsent(key, absent -> new Lane());
    if (!lane.taken) {
      lane.taken = true;
      job.inLane = true;
      return true;
    }
    if (lane.blocked.isEmpty() || job.number < lane.blocked.first().number) {
      if (!lane.blocked.isEmpty()) {
        firsts.remove(lane.blocked.first());
      }
      firsts.add(job);
    }
    lane.blocked.add(job);
    return false;
  }

  /** Takes the key for a job that waits for its delay, if it is free. */
  void hold(QueuedJob job, String key) {
    Lane lane = lanes.computeIfAbsent(key, absent -> new Lane());
    job.inLane = !lane.taken;
    lane.taken = true;
  }

  /** Frees the key that a job took. */
  void leave(String key) {
    Lane lane = lanes.get(key);
    if (lane != null) {
      lane.taken = false;
      if (lane.blocked.isEmpty()) {
        lanes.remove(key);
      }
    }
  }

  /** Removes and returns the first blocked job of a key that is free now. */
  @Nullable
  QueuedJob unblock(String key) {
    Lane lane = lanes.get(key);
    if (lane == null || lane.taken || lane.blocked.isEmpty()) {
      return null;
    }
    QueuedJob first = lane.blocked.first();
    remove(first, key);
    return first;
  }

  /** Removes a blocked job. */
  void remove(QueuedJob job, String key) {
    Lane lane = lanes.get(key);
    if (lane == null) {
      return;
    }
    boolean wasFirst = firsts.remove(job);
    lane.blocked.remove(job);
    if (lane.blocked.isEmpty()) {
      if (!lane.taken) {
        lanes.remove(key);
      }
    } else if (wasFirst) {
      firsts.add(lane.blocked.first());
    }
  }

  /** Returns the oldest of all blocked jobs. */
  @Nullable
  QueuedJob oldest() {
    return firsts.isEmpty() ? null : firsts.first();
  }

  /** Forgets all keys, and returns the jobs that were blocked. */
  List<QueuedJob> clear() {
    List<QueuedJob> blocked = new ArrayList<>();
    for (Lane lane : lanes.values()) {
      blocked.addAll(lane.blocked);
    }
    lanes.clear();
    firsts.clear();
    return blocked;
  }

  /** The jobs of one key. */
  private static final class Lane {
    private boolean taken;
    private final TreeSet<QueuedJob> blocked = new TreeSet<>(QueuedJob::byNumber);
  }
}
