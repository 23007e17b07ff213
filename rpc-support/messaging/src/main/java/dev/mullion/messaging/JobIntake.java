package dev.mullion.messaging;

import dev.mullion.messaging.ParkedSends.Parked;
import dev.mullion.messaging.engine.Route;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The bounds of a queue: what is accepted, what waits for room, what is dropped. Guarded by its
 * queue's lock. Jobs on their way to the disk take room too, so that the capacity is kept exactly.
 */
final class JobIntake {
  private final JobQueue queue;
  private final WaitingJobs waiting;
  private final ParkedSends<QueuedJob> parked = new ParkedSends<>();
  private final Alarm alarm;
  private Route.Queue route;
  private long committing;
  private long committingBytes;
  private long dropped;

  JobIntake(JobQueue queue, WaitingJobs waiting, Route.Queue route) {
    this.queue = queue;
    this.waiting = waiting;
    this.route = route;
    this.alarm = new Alarm(queue.clock(), this::failLate);
  }

  /** Accepts a job and returns null, or returns what its sender gets. */
  @Nullable
  CompletionStage<Void> offer(QueuedJob job, EmbeddedLink link) {
    if (!parked.isEmpty() || !hasRoom(job.bytes)) {
      CompletionStage<Void> answer = withoutRoom(job, link);
      if (answer != null) {
        return answer;
      }
    }
    accept(job);
    return null;
  }

  /** Gives a job its number; it is visible at once, or once its step is on disk. */
  void accept(QueuedJob job) {
    queue.number(job);
    if (isStored()) {
      committing++;
      committingBytes += job.bytes;
    } else {
      queue.arrive(job);
    }
  }

  private boolean isStored() {
    return queue.storage() != null;
  }

  /** Ends the time between {@link #accept} and the disk. */
  void committed(QueuedJob job) {
    committing--;
    committingBytes -= job.bytes;
  }

  /** Returns whether a job of that size would not have to wait. */
  boolean isOpen(int bytes) {
    return parked.isEmpty() && hasRoom(bytes);
  }

  /** Returns whether sends would have to wait. */
  boolean isFull() {
    return route.overflow() == Overflow.BLOCK && !isOpen(0);
  }

  /** Returns whether it is worth waking senders that wait for room. */
  boolean hasMuchRoom() {
    long most = route.capacity();
    long mostBytes = route.capacityBytes();
    return parked.isEmpty()
        && (most == 0 || size() <= most / 2)
        && (mostBytes == 0 || waiting.bytes() + committingBytes <= mostBytes / 2);
  }

  /** Returns how many messages may be in the lane; 0 if each push has to be looked at. */
  long room() {
    if (isStored() || !parked.isEmpty() || route.capacityBytes() != 0) {
      return 0;
    }
    return route.capacity() == 0 ? Long.MAX_VALUE : Math.max(0, route.capacity() - waiting.size());
  }

  private long size() {
    return waiting.size() + queue.inLane() + committing;
  }

  private boolean hasRoom(int bytes) {
    long most = route.capacity();
    long mostBytes = route.capacityBytes();
    return (most == 0 || size() < most)
        && (mostBytes == 0 || waiting.bytes() + committingBytes + bytes <= mostBytes);
  }

  private boolean neverFits(QueuedJob job) {
    return route.capacityBytes() != 0 && job.bytes > route.capacityBytes();
  }

  /** Makes room and returns null, or returns what the sender gets. */
  private @Nullable CompletionStage<Void> withoutRoom(QueuedJob job, EmbeddedLink link) {
    Overflow overflow = route.overflow();
    if (overflow == Overflow.BLOCK && !link.sendTimeout().isZero() && !neverFits(job)) {
      return park(job, link);
    }
    if (overflow == Overflow.BLOCK || overflow == Overflow.FAIL) {
      return CompletableFuture.failedStage(full(job, ""));
    }
    if (overflow == Overflow.DROP_NEWEST || neverFits(job)) {
      dropped++;
      return queue.letters().buryNew(job, DeadLetter.Reason.OVERFLOW);
    }
    while (!isStored() && !hasRoom(job.bytes)) {
      dropOldest();
    }
    return null; // in a store the oldest go once this one is on disk
  }

  private CompletionStage<Void> park(QueuedJob job, EmbeddedLink link) {
    Parked<QueuedJob> send = parked.add(job, link);
    queue.later(() -> alarm.at(send.deadline));
    return send.done;
  }

  /** Fails the sends whose time is over; under no lock. */
  private void failLate() {
    queue.change(false, () -> {
      for (Parked<QueuedJob> send : parked.removeLate()) {
        String when = " within sendTimeout " + send.link.sendTimeout();
        QueueFullException error = full(send.parcel, when);
        queue.later(() -> send.end(error));
      }
      long next = parked.earliestDeadline();
      if (next != Times.NEVER) {
        queue.later(() -> alarm.at(next));
      }
    });
  }

  /** Fails the sends of a link that wait for room; under no lock. */
  void withdraw(EmbeddedLink link, Exception cause) {
    queue.change(
        true, () -> parked.removeOf(link).forEach(send -> queue.later(() -> send.end(cause))));
  }

  /** Removes all sends that wait for room: the queue has ended. */
  List<Parked<QueuedJob>> end() {
    queue.later(alarm::cancel);
    return parked.removeAll();
  }

  private QueueFullException full(QueuedJob job, String when) {
    return new QueueFullException("queue " + route.id() + " is full: "
        + size() + " messages of "
        + (waiting.bytes() + committingBytes) + " bytes wait, no room for one of " + job.bytes
        + " bytes" + when + " (capacity: " + route.capacity() + ", capacityBytes: "
        + route.capacityBytes() + ", 0 for no bound)");
  }

  private void dropOldest() {
    QueuedJob oldest = waiting.removeOldest();
    if (oldest == null) {
      throw new IllegalStateException("queue " + route.id() + " is full of nothing");
    }
    dropped++;
    queue.buryWaiting(oldest, DeadLetter.Reason.OVERFLOW);
  }

  /** Drops the oldest that exceed the capacity now that a later one is on disk. */
  void trim() {
    if (route.overflow() != Overflow.DROP_OLDEST) {
      return;
    }
    while ((route.capacity() != 0 && waiting.size() > route.capacity())
        || (route.capacityBytes() != 0 && waiting.bytes() > route.capacityBytes())) {
      dropOldest();
    }
  }

  /** Accepts sends that waited, as far as there is room now. */
  void admit() {
    for (Parked<QueuedJob> send = parked.peek();
        send != null && hasRoom(send.parcel.bytes);
        send = parked.peek()) {
      parked.remove();
      Parked<QueuedJob> admitted = send;
      orEnd(admitted, () -> admit(admitted));
    }
  }

  /** Does what ends a send that is parked no more; if that fails, so does the send. */
  private void orEnd(Parked<QueuedJob> send, Runnable step) {
    try {
      step.run();
    } catch (Throwable e) {
      queue.later(() -> send.end(e));
    }
  }

  private void admit(Parked<QueuedJob> send) {
    QueuedJob job = send.parcel;
    JobStorage store = queue.storage();
    if (store == null) {
      queue.number(job);
      job.since = SystemClock.coarseNanoTime(queue.clock());
      waiting.addFresh(job);
      queue.later(() -> send.end(null));
    } else {
      accept(job);
      queue.later(() -> Stages.follow(send.done, () -> store.commit(job, List.of(store.add(job)))));
    }
  }

  boolean hasParked() {
    return !parked.isEmpty();
  }

  /** Lets all sends that wait for room try again with other settings. */
  void offerAgain() {
    parked.removeAll().forEach(send -> orEnd(send, () -> offerAgain(send)));
  }

  private void offerAgain(Parked<QueuedJob> send) {
    if (isOpen(send.parcel.bytes)) {
      admit(send);
    } else if (route.overflow() == Overflow.BLOCK) {
      parked.addAgain(send);
    } else {
      CompletionStage<Void> answer = withoutRoom(send.parcel, send.link);
      if (answer == null) {
        admit(send);
      } else {
        queue.later(() -> answer.whenComplete((nothing, error) -> send.end(error)));
      }
    }
  }

  void redeclare(Route.Queue route) {
    this.route = route;
  }

  long committing() {
    return committing;
  }

  long dropped() {
    return dropped;
  }
}
