package dev.mullion.messaging;

import dev.mullion.messaging.engine.Sink;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * A worker's subscription to a queue. It knows what it holds without a lock at each outcome: each
 * delivery has a slot in a table, which it empties when it is settled.
 */
final class WorkerSource extends EmbeddedSource {
  private final JobQueue queue;
  private volatile AtomicReferenceArray<@Nullable QueuedJob> held = new AtomicReferenceArray<>(16);
  private volatile JobBatch[] batches = {}; // written under this
  private int cursor; // guarded by the queue's lock

  WorkerSource(EmbeddedLink link, Sink sink, JobQueue queue) {
    super(link, sink);
    this.queue = queue;
  }

  @Override
  void credited() {
    queue.credited();
  }

  @Override
  public void poll(int deliveries) {
    if (batches.length > 0) {
      forgetSettled();
    }
    queue.poll(this, deliveries);
  }

  @Override
  void withdrawn() {
    queue.remove(this);
  }

  /** Gives the job to this worker; under the queue's lock. */
  void hold(QueuedJob job) {
    while (true) {
      AtomicReferenceArray<@Nullable QueuedJob> table = held;
      int length = table.length();
      for (int tries = 0; tries < length / 2; tries++) {
        int slot = cursor++ & (length - 1);
        QueuedJob former = table.get(slot);
        if (former == null || !former.isHandedOut()) {
          job.handTo(this, slot);
          table.setRelease(slot, job); // to empty it for the former one then has no effect
          return;
        }
      }
      grow(table);
    }
  }

  /** Doubles the table; a slot that is emptied meanwhile is seen by its job's state. */
  private void grow(AtomicReferenceArray<@Nullable QueuedJob> table) {
    AtomicReferenceArray<@Nullable QueuedJob> larger =
        new AtomicReferenceArray<>(table.length() * 2);
    for (int slot = 0; slot < table.length(); slot++) {
      QueuedJob job = table.get(slot);
      if (job != null && job.isHandedOut()) {
        larger.set(slot, job); // the same slot
      }
    }
    cursor = table.length();
    held = larger;
  }

  void release(QueuedJob job, int slot) {
    held.compareAndSet(slot, job, null);
  }

  /** Gives a batch to this worker; under the queue's lock. */
  synchronized void hold(JobBatch batch) {
    batches = Arrays.copyOf(batches, batches.length + 1);
    batches[batches.length - 1] = batch;
  }

  /** Forgets the batches that are settled; under no lock. */
  private synchronized void forgetSettled() {
    List<JobBatch> left = new ArrayList<>(1);
    for (JobBatch batch : batches) {
      if (batch.isHeld()) {
        left.add(batch);
      } else {
        batch.forget();
      }
    }
    batches = left.toArray(JobBatch[]::new);
  }

  /** Returns what is handed out and not settled. */
  List<HeldJob> heldJobs() {
    List<HeldJob> jobs = new ArrayList<>();
    for (JobBatch batch : batches) {
      batch.addHeldTo(jobs);
    }
    AtomicReferenceArray<@Nullable QueuedJob> table = held;
    for (int slot = 0; slot < table.length(); slot++) {
      QueuedJob job = table.get(slot);
      if (job != null && job.isHandedOut()) {
        jobs.add(job);
      }
    }
    return jobs;
  }

  @Override
  void giveBack() {
    queue.outcomes().takeBack(heldJobs());
    queue.forget(this);
  }
}
