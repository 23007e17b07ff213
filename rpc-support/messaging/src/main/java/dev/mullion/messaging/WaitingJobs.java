package dev.mullion.messaging;

import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The jobs of a queue that nobody has. What comes back goes to the front, in the order of numbers;
 * what fails waits for its delay, and then goes to the front too. Guarded by its queue's lock.
 *
 * <pre>{@code
 *  push ----------------------------> fresh ----+
 *                                               +--> next() --> handed out
 *  give back, delay over -----------> front ----+        |
 *  Redeliver -------> delayed --------^     ^            | its key is taken (ordered queues)
 *                                           +--------- blocked
 * }</pre>
 */
final class WaitingJobs {
  /** Where a job waits. */
  enum Place {
    NOWHERE,
    FRESH,
    FRONT,
    BLOCKED,
    DELAYED
  }

  private final TreeSet<QueuedJob> front = new TreeSet<>(QueuedJob::byNumber);
  private final TreeSet<QueuedJob> delayed = new TreeSet<>(WaitingJobs::byDue);
  private final TreeSet<QueuedJob> expiring = new TreeSet<>(WaitingJobs::byExpiry);
  private final JobLanes lanes = new JobLanes();
  private @Nullable QueuedJob freshFirst;
  private @Nullable QueuedJob freshLast;
  private int removed; // jobs that are still linked in fresh, and gone
  private boolean ordered;
  private long all;
  private long fresh;
  private long bytes;
  private long delayedBytes;

  WaitingJobs(boolean ordered) {
    this.ordered = ordered;
  }

  private static int byDue(QueuedJob one, QueuedJob other) {
    int order = Long.compare(one.due, other.due);
    return order != 0 ? order : QueuedJob.byNumber(one, other);
  }

  private static int byExpiry(QueuedJob one, QueuedJob other) {
    int order = Long.compare(one.expires, other.expires);
    return order != 0 ? order : QueuedJob.byNumber(one, other);
  }

  /** Returns how many jobs are here, delayed ones too. */
  long size() {
    return all;
  }

  /** Returns how many jobs wait for a worker. */
  long waiting() {
    return all - delayed.size();
  }

  /** Returns how many of them may be handed out, as far as is known without trying. */
  long available() {
    return fresh + front.size();
  }

  /** Returns the payload bytes of all jobs here, delayed ones too. */
  long bytes() {
    return bytes;
  }

  /** Returns the payload bytes of those that wait for a worker. */
  long waitingBytes() {
    return bytes - delayedBytes;
  }

  /** Returns how many jobs wait for their delay. */
  long delayed() {
    return delayed.size();
  }

  boolean isOrdered() {
    return ordered;
  }

  void addFresh(QueuedJob job) {
    add(job, Place.FRESH);
    link(job);
    fresh++;
  }

  void addFront(QueuedJob job) {
    add(job, Place.FRONT);
    front.add(job);
  }

  /** Adds a job that comes back after a delay, until when it holds back its key. */
  void addDelayed(QueuedJob former, QueuedJob job, long due) {
    job.inLane = former.inLane;
    delay(job, due);
  }

  /** Adds a job from the store. */
  void restore(QueuedJob job, long due, long now) {
    String key = job.key;
    job.since = now;
    if (due != Times.NEVER) {
      if (ordered && key != null) {
        lanes.hold(job, key);
      }
      delay(job, due);
    } else if (job.failures() + job.losses() > 0) {
      addFront(job);
    } else {
      addFresh(job);
    }
  }

  private void delay(QueuedJob job, long due) {
    job.due = due;
    add(job, Place.DELAYED);
    delayed.add(job);
    delayedBytes += job.bytes;
  }

  private void add(QueuedJob job, Place place) {
    job.place = place;
    all++;
    bytes += job.bytes;
    if (job.expires != Times.NEVER) {
      expiring.add(job);
    }
  }

  /** Removes and returns the next job to hand out; its key is then taken in an ordered queue. */
  @Nullable
  QueuedJob next() {
    for (QueuedJob job = poll(); job != null; job = poll()) {
      String key = job.key;
      if (!ordered || key == null || lanes.enter(job, key)) {
        forget(job);
        return job;
      }
      job.place = Place.BLOCKED;
    }
    return null;
  }

  /** Takes the first available job out of its list, and leaves all else to the caller. */
  private @Nullable QueuedJob poll() {
    QueuedJob job = front.pollFirst();
    if (job != null) {
      return job;
    }
    job = freshHead();
    if (job != null) {
      unlinkHead(job);
      fresh--;
    }
    return job;
  }

  /** Returns the first fresh job that is not gone. */
  private @Nullable QueuedJob freshHead() {
    QueuedJob job = freshFirst;
    while (job != null && job.place != Place.FRESH) {
      unlinkHead(job);
      removed--;
      job = freshFirst;
    }
    return job;
  }

  private void unlinkHead(QueuedJob head) {
    freshFirst = (QueuedJob) head.next;
    head.next = null; // it becomes a link of a source's list
    if (freshFirst == null) {
      freshLast = null;
    }
  }

  /** Frees the key of a job that was handed out; {@code gone} if it does not come back. */
  void leave(QueuedJob job, boolean gone) {
    String key = job.key;
    if (job.inLane && key != null) {
      lanes.leave(key);
      if (gone) {
        unblock(key);
      }
    }
  }

  private void unblock(String key) {
    QueuedJob job = lanes.unblock(key);
    if (job != null) {
      job.place = Place.FRONT;
      front.add(job);
    }
  }

  /** Removes and returns the oldest job that waits for a worker, else the one that is due first. */
  @Nullable
  QueuedJob removeOldest() {
    QueuedJob oldest = oldest();
    if (oldest == null) {
      oldest = delayed.isEmpty() ? null : delayed.first();
    }
    if (oldest != null) {
      remove(oldest);
    }
    return oldest;
  }

  /** Returns the oldest job that waits for a worker. */
  @Nullable
  QueuedJob oldest() {
    QueuedJob oldest = freshHead();
    if (!front.isEmpty()) {
      oldest = older(oldest, front.first());
    }
    QueuedJob first = lanes.oldest();
    return first == null ? oldest : older(oldest, first);
  }

  private static QueuedJob older(@Nullable QueuedJob one, QueuedJob other) {
    return one == null || other.number < one.number ? other : one;
  }

  /** Moves what is due to the front. */
  void moveDue(long now) {
    while (!delayed.isEmpty() && delayed.first().due - now <= 0) {
      QueuedJob job = delayed.pollFirst();
      delayedBytes -= job.bytes;
      job.since = job.due;
      leave(job, false);
      job.inLane = false;
      job.place = Place.FRONT;
      front.add(job);
    }
  }

  /** Removes and returns a job whose time to live has passed. */
  @Nullable
  QueuedJob removeExpired(long now) {
    if (expiring.isEmpty() || expiring.first().expires - now > 0) {
      return null;
    }
    QueuedJob job = expiring.first();
    remove(job);
    return job;
  }

  /** Returns when there is something to do next, by the clock; {@code NEVER} for nothing. */
  long nextTime() {
    long due = delayed.isEmpty() ? Times.NEVER : delayed.first().due;
    long expires = expiring.isEmpty() ? Times.NEVER : expiring.first().expires;
    return Math.min(due, expires);
  }

  /** Removes a job that waits here. */
  private void remove(QueuedJob job) {
    Place place = job.place;
    String key = job.key;
    forget(job);
    switch (place) {
      case FRESH -> {
        fresh--;
        removed++;
        dropRemoved();
      }
      case FRONT -> front.remove(job);
      case BLOCKED -> {
        if (key != null) {
          lanes.remove(job, key);
        }
      }
      case DELAYED -> {
        delayed.remove(job);
        delayedBytes -= job.bytes;
        leave(job, false);
      }
      default -> throw new IllegalStateException("job " + job.number + " does not wait");
    }
    if (ordered && key != null) {
      unblock(key); // it may have been the one for which others of its key wait
    }
  }

  private void forget(QueuedJob job) {
    job.place = Place.NOWHERE;
    all--;
    bytes -= job.bytes;
    if (job.expires != Times.NEVER) {
      expiring.remove(job);
    }
  }

  /** Unlinks removed jobs once they are more than the others; else they go when they are first. */
  private void dropRemoved() {
    if (removed < 64 || removed < fresh) {
      return;
    }
    QueuedJob job = freshFirst;
    freshFirst = null;
    freshLast = null;
    while (job != null) {
      QueuedJob next = (QueuedJob) job.next;
      job.next = null;
      if (job.place == Place.FRESH) {
        link(job);
      }
      job = next;
    }
    removed = 0;
  }

  private void link(QueuedJob job) {
    if (freshLast == null) {
      freshFirst = job;
    } else {
      freshLast.next = job;
    }
    freshLast = job;
  }

  /** Changes whether keys are held back; what is handed out at that moment holds back nothing. */
  void setOrdered(boolean ordered) {
    this.ordered = ordered;
    for (QueuedJob job : lanes.clear()) {
      job.place = Place.FRONT;
      front.add(job);
    }
  }

  /** Removes all jobs. */
  void clear() {
    while (removeOldest() != null) {}
  }
}
