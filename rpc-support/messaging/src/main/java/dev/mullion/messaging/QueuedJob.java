package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import org.jspecify.annotations.Nullable;

/**
 * A job of a queue from when it is pushed, or comes back, to the end of one delivery. A job that
 * comes back is a new object, so that a late outcome of the earlier delivery changes nothing.
 */
final class QueuedJob extends HeldJob {
  private final JobQueue queue;
  private final int failures;
  private final int losses;
  final int bytes;
  final @Nullable String key;
  final long expires; // nanoseconds of the clock; Times.NEVER for no limit
  long number; // guarded by the queue's lock until it is assigned
  long due = Times.NEVER; // guarded by the queue's lock
  long since; // guarded by the queue's lock
  WaitingJobs.Place place = WaitingJobs.Place.NOWHERE; // guarded by the queue's lock
  boolean inLane; // written before it is assigned: its key is held back until it is settled
  private @Nullable Message<byte[]> message; // null while it is only in the store
  private @Nullable String address;
  private @Nullable WorkerSource worker; // written before it is assigned
  private int slot;

  /** Makes a job of a message that was just sent. */
  QueuedJob(JobQueue queue, Message<byte[]> message, @Nullable String address, long expires) {
    this(queue, 0, 0, message.payload().length, message.key().orElse(null), expires);
    this.message = message;
    this.address = address;
  }

  /** Makes a job of what the store has. */
  QueuedJob(JobQueue queue, Store.Job stored, long expires) {
    this(queue, stored.failures(), stored.losses(), stored.bytes(), stored.key(), expires);
    this.number = stored.number();
  }

  private QueuedJob(
      JobQueue queue, int failures, int losses, int bytes, @Nullable String key, long expires) {
    this.queue = queue;
    this.failures = failures;
    this.losses = losses;
    this.bytes = bytes;
    this.key = key;
    this.expires = expires;
  }

  static int byNumber(QueuedJob one, QueuedJob other) {
    return Long.compare(one.number, other.number);
  }

  @Override
  JobQueue queue() {
    return queue;
  }

  @Override
  QueuedJob queued() {
    return this;
  }

  /** Returns this job for its next delivery. */
  QueuedJob after(Outcome outcome) {
    boolean lost = outcome instanceof Outcome.GiveBack back && back.counted();
    QueuedJob job = new QueuedJob(
        queue,
        outcome instanceof Outcome.Redeliver ? failures + 1 : failures,
        lost ? losses + 1 : losses,
        bytes,
        key,
        expires);
    job.number = number;
    if (queue.storage() == null) {
      job.message = message;
      job.address = address;
    }
    return job;
  }

  /** Drops the message, which is in the store: waiting jobs of a durable queue keep none. */
  void forgetMessage() {
    message = null;
    address = null;
  }

  @Override
  void load() throws MessagingException {
    if (message == null) {
      Store.Stored stored = queue.outcomes().read(number);
      message = stored.message();
      address = stored.address();
    }
  }

  /** Belongs to a worker from here on; under the queue's lock. */
  void handTo(WorkerSource worker, int slot) {
    this.worker = worker;
    this.slot = slot;
    handOut();
  }

  @Override
  boolean holdsKey() {
    return inLane;
  }

  @Override
  void released() {
    WorkerSource holder = worker;
    if (holder != null) {
      holder.release(this, slot);
    }
  }

  @Override
  public Message<byte[]> message() {
    Message<byte[]> present = message;
    if (present == null) {
      throw new IllegalStateException("a job is only delivered with its message");
    }
    return present;
  }

  @Override
  public String address() {
    return address == null ? queue.route().name() : address;
  }

  @Override
  public int failures() {
    return failures;
  }

  @Override
  public int losses() {
    return losses;
  }
}
