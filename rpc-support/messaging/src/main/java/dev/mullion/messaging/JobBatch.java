package dev.mullion.messaging;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** First deliveries of messages that a worker gets at once: each is little more than a message. */
final class JobBatch extends Parcel {
  private final JobQueue queue;
  private final long firstNumber;
  private List<?> messages; // as the next one guarded by this
  private First @Nullable [] jobs; // made outside of the queue's lock

  /** The jobs have the numbers from that on; all of them are messages of bytes. */
  JobBatch(JobQueue queue, long firstNumber, List<?> messages) {
    this.queue = queue;
    this.firstNumber = firstNumber;
    this.messages = messages;
  }

  @SuppressWarnings("unchecked") // the lane has these only
  private synchronized First[] jobs() {
    First[] made = jobs;
    if (made == null) {
      made = new First[messages.size()];
      for (int i = 0; i < made.length; i++) {
        made[i] = new First(this, (Message<byte[]>) messages.get(i), i);
        made[i].handOut();
      }
      jobs = made;
    }
    return made;
  }

  @Override
  void load() {
    jobs(); // here a failure ends in the return of the whole batch
  }

  /** Keeps nothing in memory any more for those who keep one of its jobs. */
  synchronized void forget() {
    messages = List.of();
    jobs = new First[0];
  }

  @Override
  synchronized int count() {
    return messages.size();
  }

  @Override
  List<First> deliveries() {
    return Arrays.asList(jobs());
  }

  /** Returns whether any of it is not settled. */
  boolean isHeld() {
    for (First job : jobs()) {
      if (job.isHandedOut()) {
        return true;
      }
    }
    return false;
  }

  /** Adds those that are handed out and not settled to a list. */
  void addHeldTo(List<HeldJob> held) {
    for (First job : jobs()) {
      if (job.isHandedOut()) {
        held.add(job);
      }
    }
  }

  @Override
  void takeBack() {
    queue.outcomes().takeBack(List.of(jobs()));
  }

  /** The first delivery of a job. */
  private static final class First extends HeldJob {
    private final JobBatch batch;
    private final Message<byte[]> message;
    private final int index;

    First(JobBatch batch, Message<byte[]> message, int index) {
      this.batch = batch;
      this.message = message;
      this.index = index;
    }

    @Override
    JobQueue queue() {
      return batch.queue;
    }

    @Override
    QueuedJob queued() {
      QueuedJob job = new QueuedJob(batch.queue, message, null, Times.NEVER);
      job.number = batch.firstNumber + index;
      return job;
    }

    @Override
    public Message<byte[]> message() {
      return message;
    }

    @Override
    public String address() {
      return batch.queue.route().name();
    }
  }
}
