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

  private final int allowed;
  private final int leastCredit;
  private final boolean polls;
  private final int maxRunners;
  private final int maxTaken;
  private final Stock<T> stock;
  private final Backlog<T> backlog; // of the stock, as the next two
  private final Slots<T> slots;
  private final Tally tally;
  private final ArrayDeque<HandlerCall<T>> resumed = new ArrayDeque<>();
  private int openCredit;
  private int runners;
  private int starting; // of the runners: those that have not taken yet
  private int asking; // of the runners: those that ask the engine before they look again
  private @Nullable HandlerRunner<T> asker; // the only runner, while it asks
  private volatile boolean paused; // written under the lock
  private boolean stuck; // no more is fetched until a handler ends
  private boolean stopped;

  Inbox(
      RunningSubscription<T> owner,
      Alone alone,
      SubscriptionPlan<T> plan,
      int maxRunners,
      boolean polls) {
    int half = Math.max(1, plan.prefetch() / 2);
    this.polls = polls;
    this.allowed = polls ? 1 : plan.maxInFlight(); // one wakes a runner, which then asks
    this.leastCredit = polls ? 1 : half;
    this.maxRunners = maxRunners;
    this.maxTaken = plan.takesSeveral() ? (polls ? plan.maxInFlight() : half) : 1;
    this.stock = new Stock<>(owner, alone, plan, unsettled, maxTaken);
    this.backlog = stock.backlog;
    this.slots = stock.slots;
    this.tally = stock.tally;
  }

  /** Takes what the engine delivered. */
  synchronized Admission add(List<Fetched<T>> deliveries) {
    tally.delivered += deliveries.size();
    openCredit = Math.max(0, openCredit - deliveries.size());
    if (stopped) {
      deliveries.forEach(stock::giveBack);
      tally.givenBackByStop += deliveries.size();
      return Admission.RETURNED;
    }
    if (makeRun(deliveries)) {
      return Admission.KEPT;
    }
    deliveries.forEach(backlog::add);
    return shouldStart() ? Admission.KEPT_FOR_NEW_RUNNER : Admission.KEPT;
  }

  /** Passes what arrived to the runner that asks for it, if nothing else is to be done first. */
  private boolean makeRun(List<Fetched<T>> deliveries) {
    HandlerRunner<T> runner = asker;
    if (runner == null
        || deliveries.isEmpty()
        || !stock.isClear()
        || !mayTake()
        || !resumed.isEmpty()
        || Fetched.hasSuspect(deliveries)) {
      return false;
    }
    runner.taken = new Run<>(deliveries, runner.thread());
    slots.take(runner.taken);
    return true;
  }

  /**
   * Ends the calls of a runner, and gives it the next. If it has to ask the engine before, it
   * counts as asking, and has to call {@link #lookAgain}. With neither, it ends.
   */
  synchronized void next(HandlerRunner<T> runner) {
    if (runner.starting) {
      runner.starting = false;
      starting--;
    }
    endAll(runner);
    if (polls && mayTake() && resumed.isEmpty()) {
      runner.poll = Math.max(0, maxTaken - backlog.size());
    }
    if (runner.poll > 0) {
      ask(runner);
    } else {
      take(runner);
    }
  }

  /** Looks once more after the engine was asked. */
  synchronized void lookAgain(HandlerRunner<T> runner) {
    runner.asking = false;
    asker = null;
    asking--;
    take(runner);
  }

  private void endAll(HandlerRunner<T> runner) {
    stock.endAll(runner.calls, runner);
    Run<T> run = runner.taken;
    if (run != null) {
      stock.endRun(run, runner);
      runner.taken = null;
    }
    runner.endedInStop = stopped && runner.ended;
    stuck &= paused || !runner.ended;
  }

  private void take(HandlerRunner<T> runner) {
    boolean found = runner.taken != null || take(runner.calls);
    runner.credit = found && polls ? 0 : credit(); // it will ask again, and needs none before
    if (found) {
      runner.start = shouldStart();
    } else if (runner.credit > 0) {
      ask(runner);
    } else {
      runners--;
    }
  }

  private boolean take(List<HandlerCall<T>> calls) {
    HandlerCall<T> waited = resumed.poll();
    if (waited != null) {
      slots.attach(waited);
      calls.add(waited);
    } else if (mayTake()) {
      stock.take(calls);
    }
    return !calls.isEmpty();
  }

  private void ask(HandlerRunner<T> runner) {
    runner.asking = true;
    asker = polls ? runner : null;
    asking++;
  }

  private boolean mayTake() {
    return !paused && !stopped && slots.freeCount() > 0;
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
    stock.end(finished, effects);
    stuck &= paused || !effects.ended;
    effects.endedInStop = stopped && effects.ended;
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

  private int credit() {
    if (stopped || stuck) {
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
    stuck = false;
    effects.credit = credit();
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
    List<Fetched<T>> returned = stock.giveBackWaiting();
    tally.givenBackByStop += returned.size();
    if (!stopped) {
      stopped = true;
      tally.inFlightAtStop = stock.inFlight();
    }
    effects.aloneEnded = backlog.unreserve();
    return returned;
  }

  /**
   * Returns what waits, for it to go back, if the first of it is still this one and none may start.
   * No more is asked for until a handler ends, or until the end of the pause; what had been asked
   * for before goes back too.
   */
  synchronized List<Fetched<T>> takeBackFrom(@Nullable Fetched<T> first, Effects effects) {
    boolean waited = stuck || (first != null && first == firstWaiting());
    if (!waited || (mayTake() && !stock.isHeld())) {
      return List.of();
    }
    stuck = true;
    effects.aloneEnded = backlog.unreserve();
    return stock.giveBackWaiting();
  }

  /** Returns the first of those that wait for a handler; null without any. */
  synchronized @Nullable Fetched<T> firstWaiting() {
    return stock.firstWaiting();
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

  /** Returns whether anything waits here, is being handled, or has an outcome under way. */
  synchronized boolean isBusy() {
    return backlog.size() > 0 || slots.busy() > 0 || unsettled.get() > 0;
  }

  synchronized boolean isEmpty() {
    return slots.busy() == 0;
  }

  synchronized void stopsInside(HandlerCall<T> call, boolean own, int change) {
    call.stopsInside = (short) (call.stopsInside + change);
    call.stopsOfOwn = (short) (call.stopsOfOwn + (own ? change : 0));
    stock.leaveOnly(call);
  }

  /** Cuts the calls whose time is over, interrupts their threads, and returns their messages. */
  synchronized List<Fetched<T>> expire(long now, Effects effects) {
    List<Fetched<T>> cut = new ArrayList<>();
    slots.forEach(call -> {
      if (call.deadlineNanos() <= now) {
        stock.cut(call, Stage.TIMED_OUT, Ending.TIMED_OUT, cut, effects);
      }
    });
    stuck &= cut.isEmpty() || !mayTake(); // what was cut may never end
    effects.credit = credit();
    effects.start = shouldStart();
    return cut;
  }

  /** Returns the earliest deadline of the calls under way. */
  synchronized long earliestDeadline() {
    return slots.earliestDeadline();
  }

  /** Sets a deadline anew; false if the call is over or overdue, or should be. */
  synchronized boolean extend(HandlerCall<T> call, Fetched<T> delivery, long now, long nanos) {
    if (call.slot < 0 || call.overdue || call.deadlineNanos() <= now || !delivery.isRunning()) {
      return false;
    }
    call.setDeadline(HandlerTimeouts.after(now, nanos));
    return true;
  }

  /** Cuts all calls but those that wait for a stop. */
  synchronized List<Fetched<T>> interruptAll(boolean besidesAllStops, Effects effects) {
    List<Fetched<T>> cut = new ArrayList<>();
    slots.forEach(call -> {
      if (!call.isInStop(besidesAllStops)) {
        stock.cut(call, Stage.INTERRUPTED, Ending.FAILED, cut, effects);
      }
    });
    tally.interrupted += cut.size();
    return cut;
  }

  /** Returns whether this thread was interrupted for running this call too long. */
  synchronized boolean wasInterruptedHere(HandlerCall<T> call) {
    return call.overdue && call.thread() == Thread.currentThread();
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
    for (Fetched<T> each : stock.waiting()) {
      each.seen = each.seen < 0 ? now : each.seen;
      oldest = Math.min(oldest, each.seen);
    }
    return oldest == HandlerCall.NEVER ? -1 : oldest;
  }

  synchronized int buffered() {
    return stock.buffered();
  }

  synchronized int handlersRunning() {
    return slots.busy() - resumed.size();
  }

  synchronized SubscriptionCounters counters() {
    return stock.counters();
  }

  /** Returns the report of a stop. */
  synchronized StopReport report(Duration took) {
    return new StopReport(
        took, tally.inFlightAtStop - tally.interrupted, tally.givenBackByStop, tally.interrupted);
  }
}
