package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.DeadLetterBox.Letter;
import dev.mullion.messaging.ParkedSends.Parked;
import dev.mullion.messaging.engine.Route;
import java.lang.invoke.VarHandle;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A work queue, or a group of a topic. Each operation changes what waits under one short lock, and
 * does all else once it has left it: hands out, completes stages, applies steps to the store.
 *
 * <p>In memory, to acknowledge takes no lock, and neither does to ask for more while nothing waits:
 * {@code backlog} is set before a push looks for credit the last time, and read after a worker has
 * added its credit, so one of the two sees the other.
 */
final class JobQueue {
  private final MessagingClock clock;
  private final @Nullable JobStorage storage;
  private final DeferringLock lock = new DeferringLock();
  private final WaitingJobs waiting;
  private final @Nullable Lane lane; // of what needs no decision; null in a store and for a group
  private final JobIntake intake;
  private final QueueLetters letters;
  private final JobOutcomes outcomes;
  private final Alarm alarm;
  private final FullMark full = new FullMark();
  private final Watchers watchers = new Watchers();
  private volatile Route.Queue route;
  private volatile boolean backlog;
  private final WorkerList workers = new WorkerList();
  private long lastNumber;
  private long expired;
  private boolean ended;
  private long alarmTime = Times.NEVER;

  JobQueue(Route.Queue route, EmbeddedBroker broker, @Nullable JobStorage storage) {
    this.route = route;
    this.clock = broker.clock();
    this.storage = storage;
    this.waiting = new WaitingJobs(route.ordered());
    this.lane = storage == null && route.source().isEmpty() ? new Lane() : null;
    this.intake = new JobIntake(this, waiting, route);
    this.letters = new QueueLetters(this, broker, storage);
    this.outcomes = new JobOutcomes(this, waiting, storage);
    this.alarm = new Alarm(clock, this::wake);
    if (lane != null) {
      lane.open(intake.room());
    }
  }

  Route.Queue route() {
    return route;
  }

  MessagingClock clock() {
    return clock;
  }

  QueueLetters letters() {
    return letters;
  }

  JobIntake intake() {
    return intake;
  }

  JobOutcomes outcomes() {
    return outcomes;
  }

  @Nullable
  JobStorage storage() {
    return storage;
  }

  /** Adds what the store has, before anything else happens here. */
  void restore(List<Store.Job> jobs, List<Long> deadLetters) {
    lock.enter();
    try {
      for (Store.Job stored : jobs) {
        lastNumber = Math.max(lastNumber, stored.number());
        waiting.restore(
            new QueuedJob(this, stored, Times.fromStored(stored.expiresMillis(), clock)),
            stored.dueMillis() > clock.currentTimeMillis()
                ? Times.fromStored(stored.dueMillis(), clock)
                : Times.NEVER,
            clock.nanoTime());
      }
      letters.restore(deadLetters);
      pump();
    } finally {
      leave(false);
    }
  }

  /**
   * Accepts a message if that needs no decision: there is room, and it has neither key nor time to
   * live. Returns false if nothing was done.
   */
  boolean pushNow(Message<byte[]> message, EmbeddedLink link) {
    Lane open = lane;
    if (open == null || !message.isPlain()) {
      return false;
    }
    link.awaitRoom(full);
    long now = SystemClock.coarseNanoTime(clock);
    Lane.Put put = open.put(message, now);
    if (put == Lane.Put.FULL) {
      markFull();
      link.awaitRoom(full);
      put = open.put(message, now);
    }
    if (put == Lane.Put.AWAITED) {
      VarHandle.fullFence(); // one of those who look out sees the message, or is not seen here
      if (!watchers.arePresent()) {
        change(true, () -> {});
      }
    }
    return put != Lane.Put.FULL;
  }

  private void markFull() {
    lock.enter();
    leave(true);
  }

  /** Accepts a message; null if the queue has ended meanwhile. */
  @Nullable
  CompletionStage<Void> push(Message<byte[]> message, EmbeddedLink link) {
    QueuedJob job = new QueuedJob(this, message, route.name(), Times.expiry(message, clock));
    CompletionStage<Void> answer;
    link.awaitRoom(full);
    enter();
    try {
      if (ended) {
        return null;
      }
      answer = intake.offer(job, link);
    } finally {
      leave(true);
    }
    return answer != null
        ? answer
        : storage == null ? Parcel.DONE : storage.commit(job, List.of(storage.add(job)));
  }

  /**
   * Accepts a message of the topic that feeds this group; never waits. In memory it is here then;
   * else the caller applies the step, and calls {@link #committed}.
   *
   * @return null if it was dropped
   */
  @Nullable
  QueuedJob feed(Message<byte[]> message, String topic, EmbeddedLink link) {
    QueuedJob job = new QueuedJob(this, message, topic, Times.expiry(message, clock));
    enter();
    try {
      return ended || intake.offer(job, link) != null ? null : job;
    } finally {
      leave(true);
    }
  }

  /** Puts a dead letter's message back; null if there is no room. Under no lock. */
  @Nullable
  CompletionStage<Boolean> redrive(Letter letter, String address, Message<byte[]> message) {
    QueuedJob job = new QueuedJob(this, message, address, Times.expiry(message, clock));
    enter();
    try {
      if (!intake.isOpen(job.bytes)) {
        return null;
      }
      if (ended || !letters.remove(letter)) {
        return CompletableFuture.completedStage(false);
      }
      intake.accept(job);
    } finally {
      leave(true);
    }
    JobStorage store = storage;
    return store == null
        ? CompletableFuture.completedStage(true)
        : store
            .commit(job, List.of(store.add(job), store.removeLetter(letter.number())))
            .thenApply(nothing -> true);
  }

  /** Makes a job visible whose step is on disk, or frees its room if that failed. */
  void committed(QueuedJob job, boolean onDisk) {
    lock.enter();
    try {
      intake.committed(job);
      if (onDisk && !ended) {
        arrive(job);
        if (job.place != WaitingJobs.Place.NOWHERE) {
          job.forgetMessage();
        }
        intake.trim();
      }
      pump();
    } finally {
      leave(false);
    }
  }

  /** Enters the lock, and closes the lane, with what it has among the jobs that wait. */
  private void enter() {
    lock.enter();
    Lane open = lane;
    if (open != null) {
      open.close();
      if (!open.isEmpty()) {
        backlog = true; // before the lane is seen to be empty
      }
      for (Object message = open.poll(); message != null; message = open.poll()) {
        QueuedJob job = laneJob(message);
        job.since = open.time();
        waiting.addFresh(job);
      }
    }
  }

  // ---- under the lock

  @SuppressWarnings("unchecked")
  private QueuedJob laneJob(Object message) {
    QueuedJob job = new QueuedJob(this, (Message<byte[]>) message, null, Times.NEVER);
    number(job);
    return job;
  }

  /** Returns how many jobs are in the lane. */
  long inLane() {
    Lane open = lane;
    return open == null ? 0 : open.size();
  }

  private boolean isLaneEmpty() {
    Lane open = lane;
    return open == null || open.isEmpty();
  }

  void number(QueuedJob job) {
    job.number = ++lastNumber;
  }

  /** Gives a new job to a worker, or lets it wait. */
  void arrive(QueuedJob job) {
    if (waiting.available() == 0
        && (job.key == null || !waiting.isOrdered())
        && !watchers.arePresent()) {
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
  private void pump() {
    Lane open = lane;
    if (open != null) {
      open.awaitNoMore();
    }
    while (true) {
      admit();
      if (!backlog && (waiting.waiting() > 0 || intake.hasParked())) { // also what has become due
        backlog = true;
      }
      WorkerSource worker = available() == 0 ? null : workers.withCredit();
      if ((worker == null || !give(worker)) && !hasMore(open)) {
        break;
      }
    }
    if (backlog && waiting.waiting() == 0 && !intake.hasParked()) {
      backlog = false;
    }
  }

  private long available() {
    return waiting.available() + inLane();
  }

  /** Returns whether a message has come into the lane meanwhile for a worker that has credit. */
  private boolean hasMore(@Nullable Lane open) {
    return open != null && workers.haveCredit() && !open.await();
  }

  /** Accepts sends that wait for room, also for that of jobs that have expired. */
  private void admit() {
    do {
      intake.admit();
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
      buryWaiting(job, DeadLetter.Reason.EXPIRED);
      job = waiting.removeExpired(now);
    }
    return expired > before;
  }

  /** Gives the next job to a worker; false if there is none. */
  private boolean give(WorkerSource worker) {
    QueuedJob job = next();
    if (job != null) {
      give(job, worker);
    }
    return job != null;
  }

  /** Gives what is in the lane to a worker, up to a number. */
  @SuppressWarnings("unchecked")
  private void giveBatch(WorkerSource worker, int most) {
    Lane open = lane;
    int size = open == null ? 0 : (int) Math.min(most, open.size());
    if (open == null || size == 0) {
      return;
    }
    JobBatch batch = new JobBatch(this, lastNumber + 1, size);
    for (int i = 0; i < size; i++) {
      batch.add((Message<byte[]>) requireNonNull(open.poll()));
    }
    lastNumber += size;
    worker.hold(batch);
    lock.give(batch, worker);
  }

  private @Nullable QueuedJob next() {
    QueuedJob job = waiting.next();
    Lane open = lane;
    if (job != null || open == null) {
      return job;
    }
    Object message = open.poll();
    return message == null ? null : laneJob(message);
  }

  private void give(QueuedJob job, WorkerSource worker) {
    worker.hold(job);
    lock.give(job, worker);
  }

  /** Makes a dead letter of a job that waited here. */
  void buryWaiting(QueuedJob job, DeadLetter.Reason reason) {
    letters.bury(job, reason, "", job.failures() + job.losses());
  }

  void later(Runnable task) {
    lock.later(task);
  }

  /** Runs a change under the lock, and what follows from it. */
  void change(boolean here, Runnable change) {
    lock.enter();
    try {
      if (!ended) {
        change.run();
        pump();
      }
    } finally {
      leave(here);
    }
  }

  /** Adds a worker; false if the queue has ended meanwhile. */
  boolean add(WorkerSource worker) {
    lock.enter();
    try {
      if (ended) {
        return false;
      }
      workers.add(worker);
      return true;
    } finally {
      leave(true);
    }
  }

  void remove(WorkerSource worker) {
    change(true, () -> workers.remove(worker));
  }

  /** Forgets a removed worker that has given back what it held. */
  void forget(WorkerSource worker) {
    change(true, () -> workers.forget(worker));
  }

  /** Hands out what waits to a worker that has added credit; under no lock. */
  void credited() {
    Lane open = lane;
    if ((open != null && !open.await()) || backlog) {
      change(true, () -> {});
    }
  }

  /** Hands out what waits to a worker that asks for it; under no lock. */
  void poll(WorkerSource worker, int jobs) {
    if (isAny() || watchers.lookOut(this::isAny)) {
      change(true, () -> {
        worker.hasCredit(); // else credit that was just asked for would be left
        admit();
        int left = jobs;
        while (left > 0 && !worker.isCancelled() && waiting.available() > 0 && give(worker)) {
          left--;
        }
        if (left > 0 && !worker.isCancelled()) {
          giveBatch(worker, left);
        }
      });
    }
  }

  private boolean isAny() {
    return !isLaneEmpty() || backlog; // in this order: what leaves the lane is backlog before
  }

  private void wake() {
    change(storage == null, () -> alarmTime = Times.NEVER);
  }

  /** Replaces the settings; what waits stays. Returns what is to be done under no lock at all. */
  Runnable redeclare(Route.Queue settings) {
    Runnable rest;
    enter();
    try {
      if (!ended) {
        route = settings;
        intake.redeclare(settings);
        if (waiting.isOrdered() != settings.ordered()) {
          waiting.setOrdered(settings.ordered());
        }
        intake.offerAgain();
        letters.trim();
        pump();
        later(letters::sweepLater);
      }
    } finally {
      beforeLeaving();
      rest = lock.leaveForLater();
    }
    return rest;
  }

  /** Ends the queue: it forgets all, and its workers and waiting senders get the cause. */
  void end(MessagingException cause) {
    List<WorkerSource> all;
    List<Parked<QueuedJob>> sends;
    enter();
    try {
      ended = true;
      all = workers.all();
      sends = intake.end();
      waiting.clear();
      letters.clear();
      alarmTime = Long.MIN_VALUE; // none is set any more
    } finally {
      leave(false);
    }
    alarm.cancel();
    letters.end();
    for (WorkerSource worker : all) {
      worker.fail(cause);
      worker.giveBack(); // late outcomes then find their lease lost
    }
    sends.forEach(send -> send.end(cause));
  }

  QueueStatus status() {
    enter();
    try {
      QueuedJob oldest = waiting.oldest();
      return new QueueStatus(
          route.name(),
          route.source(),
          waiting.waiting(),
          waiting.waitingBytes(),
          waiting.delayed(),
          workers.inFlight() + outcomes.underWay(),
          letters.count(),
          letters.dropped(),
          intake.dropped(),
          expired,
          workers.size(),
          oldest == null ? Duration.ZERO : Duration.ofNanos(clock.nanoTime() - oldest.since));
    } finally {
      leave(true);
    }
  }

  /** Returns how many jobs were accepted. */
  long accepted() {
    enter();
    try {
      return lastNumber;
    } finally {
      leave(true);
    }
  }

  /** Returns what there is to do for workers that are here; empty if there is nothing. */
  String busy() {
    enter();
    try {
      long inFlight = workers.inFlight() + outcomes.underWay();
      long ready = workers.size() == 0 ? 0 : waiting.available() + (intake.hasParked() ? 1 : 0);
      return inFlight + ready + intake.committing() == 0
          ? ""
          : "queue " + route.id() + ": " + ready + " waiting, " + inFlight + " in flight";
    } finally {
      leave(true);
    }
  }

  /**
   * Leaves the lock, and does what is to be done outside of it; {@code here} may read from disk.
   */
  private void leave(boolean here) {
    beforeLeaving();
    lock.leave(here || storage == null);
  }

  private void beforeLeaving() {
    Lane open = lane;
    if (open != null) {
      open.open(ended ? 0 : intake.room());
    }
    long time = waiting.nextTime();
    if (time < alarmTime) {
      alarmTime = time;
      later(() -> alarm.at(time));
    }
    if (full.update(
        !ended && intake.isFull(), ended || intake.hasMuchRoom(), lastNumber, route.capacity())) {
      later(full::wake);
    }
  }
}
