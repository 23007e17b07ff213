package dev.mullion.messaging;

import dev.mullion.messaging.Fetched.Stage;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * What a subscription has fetched: the messages that wait, the slots in which handlers run, the
 * credit, the runners that take from here, and the counts. One short lock guards all of it, so that
 * the counts add up at every moment. Nothing foreign is called under it: what is to be done is
 * returned as {@link Effects}.
 */
final class Inbox<T> {
  /** So many outcomes may be under way before no more is fetched. */
  static final int MAX_UNSETTLED = 1024;

  /** The outcomes that are still to be passed to the engine, or to be answered by it. */
  final AtomicInteger unsettled = new AtomicInteger();

  private final RunningSubscription<T> owner;
  private final boolean batches;
  private final int maxBatch;
  private final int allowed;
  private final int leastCredit;
  private final int maxRunners;
  private final int maxTaken;
  private final Backlog<T> backlog;
  private final Slots<T> slots;
  private final ArrayDeque<HandlerCall<T>> resumed = new ArrayDeque<>();
  private final Tally tally = new Tally();
  private int openCredit;
  private int runners;
  private int starting; // of the runners: those that have not taken yet
  private int asking; // of the runners: those that ask for credit before they look again
  private volatile boolean paused; // written under the lock
  private boolean stopped;

  Inbox(RunningSubscription<T> owner, Alone alone, SubscriptionPlan<T> plan, int maxRunners) {
    this.owner = owner;
    this.batches = plan.batches();
    this.maxBatch = plan.maxBatch();
    this.allowed = plan.maxInFlight();
    this.leastCredit = Math.max(1, plan.prefetch() / 2);
    this.maxRunners = maxRunners;
    this.maxTaken = plan.takesSeveral() ? leastCredit : 1;
    this.backlog = new Backlog<>(owner, alone, plan.keepsKeyOrder());
    this.slots = new Slots<>(plan.concurrency(), maxTaken, !plan.async());
  }

  /** Takes what the engine delivered. */
  synchronized Admission add(Fetched<T> delivery) {
    tally.delivered++;
    openCredit = Math.max(0, openCredit - 1);
    if (stopped) {
      giveBack(delivery);
      return Admission.RETURNED;
    }
    backlog.add(delivery);
    return shouldStart() ? Admission.KEPT_FOR_NEW_RUNNER : Admission.KEPT;
  }

  /**
   * Ends the calls of a runner, and gives it the next. Without any, and if there is credit to ask
   * for, the runner counts as asking, and has to call {@link #lookAgain}; without credit it ends.
   */
  synchronized void next(HandlerRunner<T> runner) {
    if (runner.starting) {
      runner.starting = false;
      starting--;
    }
    endAll(runner);
    boolean found = poll(runner.calls);
    runner.credit = credit();
    if (found) {
      runner.start = shouldStart();
    } else if (runner.credit > 0) {
      runner.asking = true;
      asking++;
    } else {
      runners--;
    }
  }

  /** Looks once more after credit was asked for; the runner ends if there is nothing. */
  synchronized void lookAgain(HandlerRunner<T> runner) {
    runner.asking = false;
    asking--;
    if (poll(runner.calls)) {
      runner.start = shouldStart();
    } else {
      runners--;
    }
  }

  /** Ends the calls of a runner and the runner with them, which another runner follows. */
  synchronized void handOver(HandlerRunner<T> runner) {
    endAll(runner);
    runners--;
    runner.credit = credit();
    runner.start = shouldStart();
  }

  /** Ends a call whose handler completed a stage. */
  synchronized void release(HandlerCall<T> finished, Effects effects) {
    end(finished, effects);
    effects.credit = credit();
    effects.start = shouldStart();
  }

  /** Lets a call go on that waited in its slot. */
  synchronized void resume(HandlerCall<T> waited, Effects effects) {
    resumed.add(waited);
    effects.start = shouldStart();
  }

  /** Counts a runner out that no thread could be found for. */
  synchronized void startFailed() {
    starting--;
    runners--;
  }

  /** Takes back credit that the engine did not get. */
  synchronized void creditFailed(int credit) {
    openCredit = Math.max(0, openCredit - credit);
  }

  /** Starts a runner, and asks for credit, if there is anything to do. */
  synchronized void wake(Effects effects) {
    effects.credit = credit();
    effects.start = shouldStart();
  }

  /** Adds the calls that may be made now; the only runner may make several, one by one. */
  private boolean poll(List<HandlerCall<T>> calls) {
    HandlerCall<T> waited = resumed.poll();
    if (waited != null) {
      slots.attach(waited);
      return calls.add(waited);
    }
    if (paused || stopped || slots.freeCount() == 0) {
      return false;
    }
    Fetched<T> next = backlog.poll(slots.running() > 0);
    while (next != null) {
      HandlerCall<T> call = batches ? batch(next) : next;
      call.alone = backlog.aloneRuns();
      slots.take(call);
      calls.add(call);
      next = calls.size() < maxTaken && !call.alone ? backlog.pollReady() : null;
    }
    return !calls.isEmpty();
  }

  private BatchCall<T> batch(Fetched<T> first) {
    List<Fetched<T>> batch = new ArrayList<>(Math.min(maxBatch, backlog.size() + 1));
    batch.add(first);
    while (batch.size() < maxBatch && !backlog.aloneRuns()) {
      Fetched<T> next = backlog.pollReady();
      if (next == null) {
        break;
      }
      batch.add(next);
    }
    return new BatchCall<>(owner, batch);
  }

  /** Ends what a runner has taken; from the last on, since what did not begin goes back. */
  private void endAll(HandlerRunner<T> runner) {
    List<HandlerCall<T>> calls = runner.calls;
    for (int i = calls.size() - 1; i >= 0; i--) {
      if (!putBack(calls.get(i))) {
        end(calls.get(i), runner);
      }
    }
    calls.clear();
  }

  private boolean putBack(HandlerCall<T> call) {
    if (!(call instanceof Fetched<T> delivery && delivery.isWaiting())) {
      return false;
    }
    if (slots.free(call)) {
      backlog.putBack(delivery);
    }
    return true;
  }

  /** Ends, or puts back, what was taken together with a call that may take long to return. */
  private void leaveOnly(HandlerCall<T> call) {
    for (HandlerCall<T> other : slots.others(call, maxTaken)) {
      if (!putBack(other)) {
        free(other);
      }
    }
  }

  private void end(HandlerCall<T> call, Effects effects) {
    if (!free(call)) {
      return;
    }
    if (call.overdue) {
      tally.lateReturns++;
    }
    endAlone(call, effects);
    effects.endedInStop = stopped;
  }

  private boolean free(HandlerCall<T> call) {
    if (!slots.free(call)) {
      return false;
    }
    for (int i = 0; i < call.size(); i++) {
      Fetched<T> delivery = call.get(i);
      Ending ending = delivery.ending();
      if (!delivery.recorded && ending != null) {
        delivery.recorded = true;
        tally.ended(ending);
      }
      backlog.ended(delivery);
    }
    return true;
  }

  private void endAlone(HandlerCall<T> call, Effects effects) {
    if (call.alone) {
      call.alone = false;
      backlog.endAlone();
      effects.aloneEnded = true;
    }
  }

  private int credit() {
    if (stopped) {
      return 0;
    }
    int behind = Math.max(0, unsettled.get() - MAX_UNSETTLED);
    int missing = allowed - openCredit - backlog.size() - slots.messages() - behind;
    if (missing < leastCredit) {
      return 0;
    }
    openCredit += missing;
    return missing;
  }

  /** Counts one more runner, if there is more to do than runners will take. */
  private boolean shouldStart() {
    int tasks = resumed.size();
    if (!paused) {
      tasks += Math.min(slots.freeCount(), backlog.startable());
    }
    if (runners >= maxRunners || starting + asking >= tasks) {
      return false;
    }
    runners++;
    starting++;
    return true;
  }

  synchronized void pause(Effects effects) {
    paused = true;
    effects.aloneEnded = backlog.unreserve();
  }

  synchronized void unpause(Effects effects) {
    paused = false;
    effects.start = shouldStart();
  }

  boolean isPaused() {
    return paused;
  }

  /**
   * Takes no more from now on, and returns what waits, which has to go back. Here as in {@link
   * #expire} and {@link #interruptAll}, each of them counts as unsettled until its owner has
   * settled it.
   */
  synchronized List<Fetched<T>> stop(Effects effects) {
    List<Fetched<T>> waiting = slots.notBegun();
    waiting.addAll(backlog.drain());
    List<Fetched<T>> returned = waiting.stream().filter(this::giveBack).toList();
    if (!stopped) {
      stopped = true;
      tally.inFlightAtStop = tally.inFlight(0) - slots.look().ended();
    }
    effects.aloneEnded = backlog.unreserve();
    return returned;
  }

  private boolean giveBack(Fetched<T> delivery) {
    if (!delivery.giveBack()) {
      return false; // its runner has just begun it
    }
    delivery.recorded = true;
    tally.ended(Ending.GIVEN_BACK);
    tally.givenBackByStop++;
    unsettled.incrementAndGet();
    return true;
  }

  /**
   * Returns whether no handler is under way, except those that wait for this subscription's stop.
   *
   * @param besidesAllStops whether also those do not matter that wait for the stop of another one,
   *     which may wait for the caller
   */
  synchronized boolean isQuiet(boolean besidesAllStops) {
    return slots.none(call -> !call.overdue && !call.isInStop(besidesAllStops));
  }

  /** Returns whether no handler is under way that could still settle. */
  synchronized boolean isIdle() {
    return slots.running() == 0;
  }

  synchronized boolean isEmpty() {
    return slots.busy() == 0;
  }

  synchronized void stopsInside(HandlerCall<T> call, boolean own, int change) {
    call.stopsInside += change;
    call.stopsOfOwn += own ? change : 0;
    leaveOnly(call);
  }

  /** Cuts the calls whose time is over, interrupts their threads, and returns their messages. */
  synchronized List<Fetched<T>> expire(long now, Effects effects) {
    List<Fetched<T>> cut = new ArrayList<>();
    slots.forEach(call -> {
      if (call.deadline <= now) {
        cut(call, Stage.TIMED_OUT, Ending.TIMED_OUT, cut, effects);
      }
    });
    effects.start = shouldStart();
    return cut;
  }

  /** Returns the earliest deadline of the calls under way. */
  synchronized long earliestDeadline() {
    return slots.earliestDeadline();
  }

  /** Sets a deadline anew; false if the call is over or overdue, or should be. */
  synchronized boolean extend(HandlerCall<T> call, Fetched<T> delivery, long now, long nanos) {
    if (call.slot < 0 || call.overdue || call.deadline <= now || !delivery.isRunning()) {
      return false;
    }
    call.deadline = HandlerTimeouts.after(now, nanos);
    return true;
  }

  /** Cuts all calls but those that wait for a stop. */
  synchronized List<Fetched<T>> interruptAll(boolean besidesAllStops, Effects effects) {
    List<Fetched<T>> cut = new ArrayList<>();
    slots.forEach(call -> {
      if (!call.isInStop(besidesAllStops)) {
        cut(call, Stage.INTERRUPTED, Ending.FAILED, cut, effects);
      }
    });
    tally.interrupted += cut.size();
    return cut;
  }

  private void cut(
      HandlerCall<T> call, Stage stage, Ending ending, List<Fetched<T>> cut, Effects effects) {
    int before = cut.size();
    for (int i = 0; i < call.size(); i++) {
      Fetched<T> delivery = call.get(i);
      if (delivery.cut(stage)) {
        delivery.recorded = true;
        tally.ended(ending);
        unsettled.incrementAndGet();
        cut.add(delivery);
      }
    }
    if (cut.size() > before) {
      slots.cut(call);
      leaveOnly(call);
      endAlone(call, effects);
    }
  }

  /** Returns whether this thread was interrupted for running this call too long. */
  synchronized boolean wasInterruptedHere(HandlerCall<T> call) {
    return call.overdue && call.thread == Thread.currentThread();
  }

  synchronized void leaseLost() {
    tally.leasesLost++;
  }

  synchronized void deadLettered() {
    tally.deadLettered++;
  }

  synchronized void dropped(long messages) {
    tally.dropped += messages;
  }

  /** Marks all that wait as seen, and returns when the oldest was first seen; -1 without any. */
  synchronized long oldestSeen(long now) {
    long oldest = HandlerCall.NEVER;
    List<Fetched<T>> waiting = slots.notBegun();
    waiting.addAll(backlog.all());
    for (Fetched<T> each : waiting) {
      if (each.seen < 0) {
        each.seen = now;
      }
      oldest = Math.min(oldest, each.seen);
    }
    return oldest == HandlerCall.NEVER ? -1 : oldest;
  }

  synchronized int buffered() {
    return backlog.size() + slots.look().waiting();
  }

  synchronized int handlersRunning() {
    return slots.busy() - resumed.size();
  }

  synchronized SubscriptionCounters counters() {
    return tally.counters(backlog.size(), slots.look());
  }

  /** Returns the report of a stop. */
  synchronized StopReport report(Duration took) {
    return new StopReport(
        took, tally.inFlightAtStop - tally.interrupted, tally.givenBackByStop, tally.interrupted);
  }
}
