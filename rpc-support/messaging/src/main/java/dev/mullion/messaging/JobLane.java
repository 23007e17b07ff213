package dev.mullion.messaging;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The messages that were pushed to a queue in memory and need no decision: there was room for them,
 * and they have neither key nor time to live. They come after all jobs that wait in the queue's
 * lists. A queue in a store and a group have an empty lane. Guarded by the queue's lock, except
 * {@link #put}, {@link #isEmpty} and {@link #await}.
 */
final class JobLane {
  private final JobQueue queue;
  private final @Nullable Lane lane;

  JobLane(JobQueue queue, boolean isUsed) {
    this.queue = queue;
    this.lane = isUsed ? new Lane() : null;
  }

  /** Appends a message, with a time of the queue's clock; under no lock. */
  Lane.Put put(Message<byte[]> message, long time) {
    return lane == null || !message.isPlain() ? Lane.Put.FULL : lane.put(message, time);
  }

  /** Returns whether it is empty; under no lock. */
  boolean isEmpty() {
    return lane == null || lane.isEmpty();
  }

  /** Asks those who push to tell of the next message; false if there is one. Under no lock. */
  boolean await() {
    return lane == null || lane.await();
  }

  /** Ends {@link #await}. */
  void awaitNoMore() {
    if (lane != null) {
      lane.awaitNoMore();
    }
  }

  long size() {
    return lane == null ? 0 : lane.size();
  }

  /** Lets no more be pushed than that besides the jobs that wait elsewhere. */
  void open(long room) {
    if (lane != null) {
      lane.open(room);
    }
  }

  /** Lets nothing be pushed here until it is opened. */
  void close() {
    if (lane != null) {
      lane.close();
    }
  }

  /** Removes and returns the next job; null if there is none. */
  @Nullable
  @SuppressWarnings("unchecked")
  QueuedJob poll() {
    Object message = lane == null ? null : lane.poll();
    if (lane == null || message == null) {
      return null;
    }
    QueuedJob job = new QueuedJob(queue, (Message<byte[]>) message, null, Times.NEVER);
    queue.number(job);
    job.since = lane.time();
    return job;
  }

  /** Removes and returns that many jobs or fewer; null if there is none. */
  @Nullable
  JobBatch poll(int most) {
    List<Object> messages = lane == null || lane.isEmpty() ? List.of() : lane.poll(most);
    int size = messages.size();
    return size == 0 ? null : new JobBatch(queue, queue.numbers(size), messages);
  }
}
