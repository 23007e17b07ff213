package dev.mullion.messaging;

import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Settlement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of the deliveries of a queue. With a store, an outcome has its effect once it is on
 * disk: a count that was seen can never be lower after a restart.
 */
final class JobOutcomes {
  private final JobQueue queue;
  private final WaitingJobs waiting; // guarded by the queue's lock
  private final @Nullable JobStorage storage;
  private final AtomicInteger underWay = new AtomicInteger();

  JobOutcomes(JobQueue queue, WaitingJobs waiting, @Nullable JobStorage storage) {
    this.queue = queue;
    this.waiting = waiting;
    this.storage = storage;
  }

  /** Reads a job's message; under no lock. */
  Store.Stored read(long number) throws MessagingException {
    if (storage == null) {
      throw new IllegalStateException("a job in memory has its message");
    }
    return storage.read(number);
  }

  void begun(QueuedJob job) {
    if (storage != null) {
      storage.begun(job);
    }
  }

  /**
   * Returns how many deliveries have ended, and their outcomes have no effect yet: such a job is
   * neither handed out nor does it wait. One that is just ending may be counted as handed out too.
   */
  int underWay() {
    return underWay.get();
  }

  /** Ends a delivery with its outcome; under no lock. */
  CompletionStage<Settlement> settle(HeldJob job, Outcome outcome) {
    if (storage == null && outcome instanceof Outcome.Acknowledge && !job.holdsKey()) {
      return job.end(false) == HeldJob.End.BEFORE ? Parcel.LEASE_LOST : Parcel.APPLIED;
    }
    underWay.incrementAndGet();
    try {
      HeldJob.End end = job.end(false);
      return end == HeldJob.End.BEFORE
          ? Parcel.LEASE_LOST
          : settled(job.queued(), outcome, end == HeldJob.End.BEGUN);
    } finally {
      underWay.decrementAndGet();
    }
  }

  /** Takes back a job that no handler had; under no lock. */
  void takeBack(HeldJob job) {
    underWay.incrementAndGet();
    try {
      if (job.end(true) != HeldJob.End.BEFORE) {
        takenBack(job.queued(), false);
      }
    } finally {
      underWay.decrementAndGet();
    }
  }

  /** Takes back all that a worker holds, so that they return in their order; under no lock. */
  void takeBack(List<? extends HeldJob> held) {
    List<QueuedJob> begun = new ArrayList<>();
    List<QueuedJob> others = new ArrayList<>();
    underWay.incrementAndGet();
    try {
      for (HeldJob job : held) {
        HeldJob.End end = job.end(true);
        if (end != HeldJob.End.BEFORE) {
          (end == HeldJob.End.BEGUN ? begun : others).add(job.queued());
        }
      }
      if (!begun.isEmpty() || !others.isEmpty()) {
        takenBack(begun, others);
      }
    } finally {
      underWay.decrementAndGet();
    }
  }

  private CompletionStage<Settlement> settled(QueuedJob job, Outcome outcome, boolean begun) {
    JobStorage store = storage;
    if (store != null) {
      return settledStored(job, outcome, begun, store);
    }
    queue.change(true, () -> {
      if (outcome instanceof Outcome.Bury bury) {
        queue.letters().bury(job, bury.reason(), bury.error(), deliveries(job, bury, begun));
      }
      apply(job, outcome);
    });
    return Parcel.APPLIED;
  }

  private void takenBack(QueuedJob job, boolean counted) {
    settled(job, new Outcome.GiveBack(counted), counted);
  }

  private void takenBack(List<QueuedJob> begun, List<QueuedJob> others) {
    if (storage == null) {
      queue.change(true, () -> {
        begun.forEach(job -> apply(job, new Outcome.GiveBack(true)));
        others.forEach(job -> apply(job, new Outcome.GiveBack(false)));
      });
    } else {
      begun.forEach(job -> takenBack(job, true));
      queue.change(true, () -> others.forEach(job -> apply(job, new Outcome.GiveBack(false))));
    }
  }

  /** Returns how many deliveries of a buried job count, this one included if it was made. */
  private static int deliveries(QueuedJob job, Outcome.Bury bury, boolean begun) {
    boolean made = begun || bury.reason() != DeadLetter.Reason.DELIVERY_LIMIT;
    return job.failures() + job.losses() + (made ? 1 : 0);
  }

  private CompletionStage<Settlement> settledStored(
      QueuedJob job, Outcome outcome, boolean begun, JobStorage store) {
    if (outcome instanceof Outcome.GiveBack back && !back.counted()) {
      queue.change(true, () -> apply(job, outcome));
      if (begun) {
        store.ended(job);
      }
      return Parcel.APPLIED;
    }
    CompletableFuture<Settlement> settled = new CompletableFuture<>();
    boolean gone = outcome instanceof Outcome.Acknowledge || outcome instanceof Outcome.Bury;
    CompletionStage<Void> applied = steps(job, outcome, begun, store);
    underWay.incrementAndGet();
    applied.whenComplete((nothing, error) -> {
      Settlement settlement = Settlement.UNKNOWN;
      try {
        if (error == null) {
          queue.change(false, () -> apply(job, outcome));
          if (begun && !gone) {
            store.ended(job);
          }
          settlement = Settlement.APPLIED;
        }
      } catch (Throwable e) { // on disk, but not done here
        LimitedLog.warn("outcome", "an outcome of " + queue.route().id() + " has no effect", e);
      } finally {
        underWay.decrementAndGet();
        settled.complete(settlement);
      }
    });
    if (begun && gone) {
      store.ended(job);
    }
    return settled;
  }

  private CompletionStage<Void> steps(
      QueuedJob job, Outcome outcome, boolean begun, JobStorage store) {
    if (outcome instanceof Outcome.Bury bury) {
      return queue
          .letters()
          .buryStored(job, bury.reason(), bury.error(), deliveries(job, bury, begun), store);
    }
    if (outcome instanceof Outcome.Acknowledge) {
      return store.apply(List.of(store.remove(job)));
    }
    QueuedJob next = job.after(outcome);
    if (outcome instanceof Outcome.Redeliver again && isPositive(again.delay())) {
      next.due = Times.after(again.delay(), queue.clock());
    }
    return store.apply(List.of(store.update(next)));
  }

  /** Does what an outcome means to the jobs that wait; under the queue's lock. */
  private void apply(QueuedJob job, Outcome outcome) {
    if (outcome instanceof Outcome.Acknowledge || outcome instanceof Outcome.Bury) {
      waiting.leave(job, true);
      return;
    }
    QueuedJob next = job.after(outcome);
    if (outcome instanceof Outcome.Redeliver again && isPositive(again.delay())) {
      waiting.addDelayed(job, next, Times.after(again.delay(), queue.clock()));
    } else {
      waiting.leave(job, false);
      next.since = queue.clock().nanoTime();
      waiting.addFront(next);
    }
  }

  private static boolean isPositive(Duration delay) {
    return !delay.isNegative() && !delay.isZero();
  }
}
