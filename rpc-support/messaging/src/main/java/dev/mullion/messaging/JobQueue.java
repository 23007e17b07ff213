package dev.mullion.messaging;

import dev.mullion.messaging.DeadLetterBox.Letter;
import dev.mullion.messaging.ParkedSends.Parked;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A work queue, or a group of a topic. Each operation changes what waits under one short lock, and
 * does all else once it has left it: hands out, completes stages, applies steps to the store.
 * In memory, a push for which there is room takes no such lock, and neither does to acknowledge.
 */
final class JobQueue {
  private final MessagingClock clock;
  private final @Nullable JobStorage storage;
  private final DeferringLock lock = new DeferringLock();
  private final WaitingJobs waiting;
  private final JobLane lane;
  private final JobIntake intake;
  private final QueueLetters letters;
  private final JobOutcomes outcomes;
  private final Alarm alarm;
  private final FullMark full = new FullMark();
  private final WorkerList workers = new WorkerList();
  private final JobHandOut handOut;
  private volatile Route.Queue route;
  private long lastNumber;
  private boolean ended;
  private long alarmTime = Times.NEVER;

  JobQueue(Route.Queue route, EmbeddedBroker broker, @Nullable JobStorage storage) {
    this.route = route;
    this.clock = broker.clock();
    this.storage = storage;
    this.waiting = new WaitingJobs(route.ordered());
    this.lane = new JobLane(this, storage == null && route.source().isEmpty());
    this.handOut = new JobHandOut(this, lock, waiting, lane, workers);
    this.intake = new JobIntake(this, waiting, route);
    this.letters = new QueueLetters(this, broker, storage);
    this.outcomes = new JobOutcomes(this, waiting, storage);
    this.alarm = new Alarm(clock, this::wake);
    lane.open(intake.room());
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
      handOut.pump();
    } finally {
      leave(false);
    }
  }

  /**
   * Accepts a message if that needs no decision: there is room, and it has neither key nor time to
   * live. Returns false if nothing was done.
   */
  boolean pushNow(Message<byte[]> message, EmbeddedLink link) {
    link.awaitRoom(full);
    long now = SystemClock.coarseNanoTime(clock);
    Lane.Put put = lane.put(message, now);
    if (put == Lane.Put.FULL && message.isPlain() && route.overflow() == Overflow.BLOCK) {
      lock.enter();
      leave(true); // marks it as full
      link.awaitRoom(full);
      put = lane.put(message, now);
    }
    if (put == Lane.Put.AWAITED && handOut.mustGive()) {
      change(true, () -> {});
    }
    return put != Lane.Put.FULL;
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
        handOut.arrive(job);
        if (job.place != WaitingJobs.Place.NOWHERE) {
          job.forgetMessage();
        }
        intake.trim();
      }
      handOut.pump();
    } finally {
      leave(false);
    }
  }

  /** Enters the lock for what has to see all jobs, those too that were just pushed. */
  private void enter() {
    lock.enter();
    handOut.closeLane();
  }

  // ---- under the lock

  /** Returns how many jobs are in the lane. */
  long inLane() {
    return lane.size();
  }

  void number(QueuedJob job) {
    job.number = numbers(1);
  }

  /** Returns the first of that many new numbers. */
  long numbers(int count) {
    lastNumber += count;
    return lastNumber - count + 1;
  }

  void arrive(QueuedJob job) {
    handOut.arrive(job);
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
        handOut.pump();
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
    if (handOut.isWorthCredit()) {
      change(true, () -> {});
    }
  }

  /** Hands out what waits to a worker that asks for it; under no lock. */
  void poll(WorkerSource worker, int jobs) {
    if (handOut.isWorthAsking()) {
      change(true, () -> handOut.poll(worker, jobs));
    }
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
        handOut.pump();
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
          handOut.expired(),
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
      long ready = workers.size() == 0 ? 0 : handOut.available() + (intake.hasParked() ? 1 : 0);
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
    lane.open(ended ? 0 : intake.room());
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
