package dev.mullion.messaging;

import java.lang.invoke.VarHandle;

/**
 * Which worker of a queue gets which job, and when. Guarded by the queue's lock, except where it
 * says otherwise.
 *
 * <p>To ask for more while nothing waits takes no lock: {@code backlog} is set before a push looks
 * for credit the last time, and read after a worker has added its credit, so one of the two sees
 * the other. The same is true of the lane, which asks those who push to tell of the next message.
 */
final class JobHandOut {
  private final JobQueue queue;
  private final MessagingClock clock;
  private final DeferringLock lock;
  private final WaitingJobs waiting;
  private final JobLane lane;
  private final WorkerList workers;
  private final Watchers watchers = new Watchers();
  private volatile boolean backlog; // something waits besides what is in the lane
  private long expired;

  JobHandOut(
      JobQueue queue, DeferringLock lock, WaitingJobs waiting, JobLane lane, WorkerList workers) {
    this.queue = queue;
    this.clock = queue.clock();
    this.lock = lock;
    this.waiting = waiting;
    this.lane = lane;
    this.workers = workers;
  }

  // ---- under no lock

  /** Returns whether there is anything for a worker that asks; looks out for a moment. */
  boolean isWorthAsking() {
    return isAny() || watchers.lookOut(this::isAny);
  }

  private boolean isAny() {
    return !lane.isEmpty() || backlog; // in this order: what leaves the lane is backlog before
  }

  /** Returns whether there is anything for a worker that has added credit. */
  boolean isWorthCredit() {
    return !lane.await() || backlog; // in this order, as above
  }

  /** Returns whether a worker has to be given what was just put into the lane. */
  boolean mustGive() {
    VarHandle.fullFence(); // a watcher sees the message, or is not seen here
    return !watchers.arePresent();
  }

  // ---- under the lock

  /** Closes the lane, with what it has among the jobs that wait. */
  void closeLane() {
    lane.close();
    if (!lane.isEmpty()) {
      backlog = true; // before the lane is seen to be empty
    }
    for (QueuedJob job = lane.poll(); job != null; job = lane.poll()) {
      waiting.addFresh(job);
    }
  }

  /** Gives a new job to a worker, or lets it wait. */
  void arrive(QueuedJob job) {
    if (available() == 0 && (job.key == null || !waiting.isOrdered()) && !watchers.arePresent()) {
      WorkerSource worker = workers.withCredit();
      if (worker != null) {
        give(job, worker);
        return;
      }
    }
    job.since = SystemClock.coarseNanoTime(clock);
    waiting.addFresh(job);
    boolean first = !backlog;
    if (first) {
      backlog = true;
    }
    if ((first && !watchers.arePresent()) || waiting.isOrdered()) {
      pump();
    }
  }

  /** Hands out what waits, as far as there is credit. */
  void pump() {
    lane.awaitNoMore();
    while (true) {
      admit();
      boolean waits = waiting.waiting() > 0 || queue.intake().hasParked();
      if (!backlog && waits) { // also what has become due
        backlog = true;
      }
      WorkerSource worker = available() == 0 ? null : workers.withCredit();
      if ((worker == null || !give(worker)) && !hasMore()) {
        break;
      }
    }
    if (backlog && waiting.waiting() == 0 && !queue.intake().hasParked()) {
      backlog = false;
    }
  }

  /** Returns whether the lane got a message meanwhile for a worker that has credit. */
  private boolean hasMore() {
    return workers.haveCredit() && !lane.await();
  }

  /** Returns how many jobs may be handed out, as far as is known without trying. */
  long available() {
    return waiting.available() + lane.size();
  }

  /** Returns how many jobs have expired. */
  long expired() {
    return expired;
  }

  /** Hands out what waits to a worker that asks for it. */
  void poll(WorkerSource worker, int jobs) {
    worker.hasCredit(); // else credit that was just asked for would be left
    int left = jobs;
    int before;
    do { // what is handed out makes room for sends that wait
      before = left;
      admit();
      left -= give(worker, queue.intake().hasParked() ? 1 : left);
    } while (left > 0 && left < before);
  }

  /** Gives up to that many jobs to a worker; returns how many. */
  private int give(WorkerSource worker, int most) {
    int given = 0;
    while (given < most && !worker.isCancelled() && waiting.available() > 0 && give(worker)) {
      given++;
    }
    JobBatch batch =
        given == most || worker.isCancelled() ? null : lane.poll(share(most - given, worker));
    if (batch != null) {
      worker.hold(batch);
      lock.give(batch, worker);
      given += batch.count();
    }
    return given;
  }

  /** Returns how many of a few jobs a worker may have while others have nothing to do. */
  private int share(int most, WorkerSource worker) {
    int idle = workers.idleBeside(worker);
    return (int) Math.min(most, lane.size() / (idle + 1) + 1);
  }

  /** Accepts sends that wait for room, also for that of jobs that have expired. */
  private void admit() {
    do {
      queue.intake().admit();
    } while (letTimePass());
  }

  /** Moves what is due to the front; returns whether something has expired. */
  private boolean letTimePass() {
    if (waiting.nextTime() == Times.NEVER) {
      return false;
    }
    long now = clock.nanoTime();
    long before = expired;
    waiting.moveDue(now);
    QueuedJob job = waiting.removeExpired(now);
    while (job != null) {
      expired++;
      queue.buryWaiting(job, DeadLetter.Reason.EXPIRED);
      job = waiting.removeExpired(now);
    }
    return expired > before;
  }

  /** Gives the next job to a worker; false if there is none. */
  private boolean give(WorkerSource worker) {
    QueuedJob job = waiting.next();
    if (job == null) {
      job = lane.poll();
    }
    if (job != null) {
      give(job, worker);
    }
    return job != null;
  }

  private void give(QueuedJob job, WorkerSource worker) {
    worker.hold(job);
    lock.give(job, worker);
  }
}
