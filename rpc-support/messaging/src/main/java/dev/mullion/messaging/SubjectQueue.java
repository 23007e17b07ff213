package dev.mullion.messaging;

import dev.mullion.messaging.RequestDelivery.State;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The requests to one subject and its repliers, which take turns. A request has at most one answer:
 * a delivery ends once, and one that is given back before it was accepted becomes a new one.
 */
final class SubjectQueue {
  private static final int MOST_WAITING = 10_000;
  private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private final String name;
  private final MessagingClock clock;
  private final DeferringLock lock = new DeferringLock();
  private final List<ReplierSource> repliers = new ArrayList<>();
  private final TreeMap<Long, RequestDelivery> waiting = new TreeMap<>();
  private final Map<Asked, RequestDelivery> byCaller = new HashMap<>(); // of those waiting
  private final Alarm alarm;
  private int turn;
  private long lastNumber;
  private long nextLook; // for late requests, while there is no room
  private long handedOut;

  SubjectQueue(String name, MessagingClock clock) {
    this.name = name;
    this.clock = clock;
    this.nextLook = clock.nanoTime();
    this.alarm = new Alarm(clock, this::dropLate);
  }

  String name() {
    return name;
  }

  MessagingClock clock() {
    return clock;
  }

  /** Sends a request on its way; the stage fails if there is nobody or no room. */
  CompletionStage<Void> request(
      EmbeddedLink caller, long id, Message<byte[]> message, Duration timeout) {
    long deadline = Times.after(timeout, clock);
    lock.enter();
    try {
      if (repliers.isEmpty()) {
        return CompletableFuture.failedStage(nobody(name));
      }
      if (waiting.size() >= MOST_WAITING && clock.nanoTime() - nextLook >= 0) {
        removeLate();
        nextLook = clock.nanoTime() + LOOK_NANOS;
      }
      if (waiting.size() >= MOST_WAITING) {
        return CompletableFuture.failedStage(new QueueFullException("subject " + name + " is full: "
            + waiting.size() + " requests wait (expected: < " + MOST_WAITING + ")"));
      }
      add(new RequestDelivery(this, caller, id, message, deadline, ++lastNumber));
      pump();
    } finally {
      leave();
    }
    return Parcel.DONE;
  }

  static NobodyListensException nobody(String subject) {
    return new NobodyListensException("nobody replies to " + subject);
  }

  private void add(RequestDelivery request) {
    waiting.put(request.number, request);
    byCaller.put(new Asked(request.caller, request.id), request);
  }

  private void removeWaiting(RequestDelivery request) {
    waiting.remove(request.number);
    byCaller.remove(new Asked(request.caller, request.id));
  }

  /** Withdraws a request that is not handed out. */
  void cancel(EmbeddedLink caller, long id) {
    lock.enter();
    try {
      RequestDelivery request = byCaller.get(new Asked(caller, id));
      if (request != null) {
        request.state = State.ENDED;
        removeWaiting(request);
      }
    } finally {
      leave();
    }
  }

  /** Withdraws all requests of a link. */
  void withdraw(EmbeddedLink caller) {
    lock.enter();
    try {
      for (RequestDelivery request : new ArrayList<>(waiting.values())) {
        if (request.caller == caller) {
          request.state = State.ENDED;
          removeWaiting(request);
        }
      }
    } finally {
      leave();
    }
  }

  /** Drops what nobody waits for any more, and asks to be called again for the rest. */
  private void dropLate() {
    lock.enter();
    try {
      removeLate();
    } finally {
      leave();
    }
  }

  private void removeLate() {
    for (RequestDelivery request : new ArrayList<>(waiting.values())) {
      if (Times.isPast(request.deadline, clock)) {
        request.state = State.ENDED;
        removeWaiting(request);
      }
    }
  }

  /** Hands out what waits, as far as there is credit. Under the lock. */
  private void pump() {
    while (!waiting.isEmpty()) {
      ReplierSource replier = withCredit();
      if (replier == null) {
        return;
      }
      RequestDelivery request = waiting.firstEntry().getValue();
      removeWaiting(request);
      if (Times.isPast(request.deadline, clock)) {
        request.state = State.ENDED;
      } else {
        give(request, replier);
      }
    }
  }

  private void give(RequestDelivery request, ReplierSource replier) {
    request.state = State.HANDED_OUT;
    request.replier = replier;
    replier.held.add(request);
    handedOut++;
    lock.give(request, replier);
  }

  private @Nullable ReplierSource withCredit() {
    for (int tries = 0; tries < repliers.size(); tries++) {
      turn = turn + 1 < repliers.size() ? turn + 1 : 0;
      ReplierSource replier = repliers.get(turn);
      if (replier.hasCredit()) {
        return replier;
      }
    }
    return null;
  }

  void credited() {
    lock.enter();
    try {
      pump();
    } finally {
      leave();
    }
  }

  /** Applies what became of a delivery before its replier was called; false if it has ended. */
  boolean settle(RequestDelivery request, Outcome outcome) {
    lock.enter();
    try {
      if (request.state != State.HANDED_OUT) {
        return false;
      }
      if (outcome instanceof Outcome.Acknowledge) {
        request.state = State.ACCEPTED;
        return true;
      }
      release(request);
      if (outcome instanceof Outcome.Bury bury) {
        Reply reply = Reply.error(request.id, status(bury), bury.error());
        lock.later(() -> request.caller.replied(reply));
      } else {
        requeue(request);
      }
      return true;
    } finally {
      leave();
    }
  }

  private static Reply.Status status(Outcome.Bury bury) {
    return bury.reason() == DeadLetter.Reason.UNDECODABLE
        ? Reply.Status.UNDECODABLE
        : Reply.Status.FAILED;
  }

  /** Ends a delivery by its reply; false if it has ended. */
  boolean end(RequestDelivery request) {
    lock.enter();
    try {
      if (request.state != State.HANDED_OUT && request.state != State.ACCEPTED) {
        return false;
      }
      release(request);
      return true;
    } finally {
      leave();
    }
  }

  private void release(RequestDelivery request) {
    request.state = State.ENDED;
    handedOut--;
    if (request.replier != null) {
      request.replier.held.remove(request);
    }
  }

  private void requeue(RequestDelivery request) {
    if (repliers.isEmpty()) {
      lose(request);
    } else {
      add(request.again());
      pump();
    }
  }

  void add(ReplierSource replier) {
    lock.enter();
    try {
      repliers.add(replier);
    } finally {
      leave();
    }
  }

  void remove(ReplierSource replier) {
    lock.enter();
    try {
      repliers.remove(replier);
      if (repliers.isEmpty()) {
        for (RequestDelivery request : new ArrayList<>(waiting.values())) {
          request.state = State.ENDED;
          removeWaiting(request);
          lose(request);
        }
      }
    } finally {
      leave();
    }
  }

  /** Takes back what a replier holds: what it had accepted is lost, the rest goes to others. */
  void giveBack(ReplierSource replier) {
    lock.enter();
    try {
      for (RequestDelivery request : new ArrayList<>(replier.held)) {
        boolean accepted = request.state == State.ACCEPTED;
        release(request);
        if (accepted) {
          lose(request);
        } else {
          requeue(request);
        }
      }
    } finally {
      leave();
    }
  }

  boolean isUnused() {
    lock.enter();
    try {
      return repliers.isEmpty() && waiting.isEmpty();
    } finally {
      leave();
    }
  }

  /** Returns whether a replier has something to do. */
  boolean isBusy() {
    lock.enter();
    try {
      return handedOut > 0 || !waiting.isEmpty();
    } finally {
      leave();
    }
  }

  /** Returns how many requests were accepted. */
  long accepted() {
    lock.enter();
    try {
      return lastNumber;
    } finally {
      leave();
    }
  }

  private void lose(RequestDelivery request) {
    lock.later(() -> request.caller.replied(Reply.error(
        request.id, Reply.Status.LOST, "the replier of " + name + " ended before it answered")));
  }

  /** Leaves the lock, and does what is to be done outside of it. */
  private void leave() {
    if (!waiting.isEmpty()) {
      // the deadline of the oldest; the others are looked at when it is over
      long deadline = waiting.firstEntry().getValue().deadline;
      if (deadline != Times.NEVER) {
        lock.later(() -> alarm.at(deadline));
      }
    }
    lock.leave(true);
  }

  /** Who asked, and under which number. */
  private record Asked(EmbeddedLink link, long id) {}
}
