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
 *
 * <pre>
 *  deliver --&gt; ready --&gt; slot --&gt; ended
 *                |  '-- lane      while its key is being handled
 *                '----- suspects  until it can run alone
 * </pre>
 */
final class Inbox<T> {
  /** So many outcomes may be under way before no more is fetched. */
  static final int MAX_UNSETTLED = 1024;

  private final RunningSubscription<T> owner;
  private final Alone alone;
  private final boolean batches;
  private final int maxBatch;
  private final int allowed;
  private final int leastCredit;
  private final int maxRunners;
  private final boolean interrupts;
  private final @Nullable KeyLanes<T> lanes;

  private final ArrayDeque<Fetched<T>> ready = new ArrayDeque<>();
  private final ArrayDeque<Fetched<T>> suspects = new ArrayDeque<>();
  private final ArrayDeque<HandlerCall<T>> resumed = new ArrayDeque<>();
  private final @Nullable HandlerCall<T>[] slots;
  private final int[] free;
  private int freeCount;
  private final Tally tally = new Tally();

  /** The outcomes without an answer. */
  final AtomicInteger unsettled = new AtomicInteger();

  private int openCredit;
  private int buffered; // in ready, lanes and suspects
  private int occupied; // in slots
  private int overdue;
  private int runners;
  private int starting; // of the runners: those that have not taken yet
  private int asking; // of the runners: those that ask for credit before they look again
  private boolean paused;
  private boolean stopped;
  private boolean reserved; // the right to handle alone is ours
  private boolean aloneRuns;

  @SuppressWarnings("unchecked")
  Inbox(RunningSubscription<T> owner, Alone alone, SubscriptionPlan<T> plan, int maxRunners) {
    this.owner = owner;
    this.alone = alone;
    this.batches = plan.batches();
    this.maxBatch = plan.maxBatch();
    this.allowed = plan.maxInFlight();
    this.leastCredit = Math.max(1, plan.prefetch() / 2);
    this.maxRunners = maxRunners;
    this.interrupts = !plan.async();
    this.lanes = plan.keepsKeyOrder() ? new KeyLanes<>() : null;
    this.slots = (HandlerCall<T>[]) new HandlerCall<?>[plan.concurrency()];
    this.free = new int[plan.concurrency()];
    for (int slot = 0; slot < free.length; slot++) {
      free[slot] = free.length - 1 - slot;
    }
    this.freeCount = free.length;
  }

  /** Takes what the engine delivered. */
  synchronized Admission add(Fetched<T> delivery) {
    tally.delivered++;
    openCredit = Math.max(0, openCredit - 1);
    if (stopped) {
      tally.ended(Ending.GIVEN_BACK);
      tally.givenBackByStop++;
      return Admission.RETURNED;
    }
    buffered++;
    ready.add(delivery);
    return shouldStart() ? Admission.KEPT_FOR_NEW_RUNNER : Admission.KEPT;
  }

  /** What becomes of an arriving message. */
  enum Admission {
    /** It has to go back at once. */
    RETURNED,
    /** It waits; a runner will take it. */
    KEPT,
    /** It waits; one more runner has been counted, and has to be started. */
    KEPT_FOR_NEW_RUNNER
  }

  /** Returns the credit to ask for first. */
  synchronized int firstCredit() {
    return credit();
  }

  /** Takes back credit that the engine did not get. */
  synchronized void creditFailed(int credit) {
    openCredit = Math.max(0, openCredit - credit);
  }

  /**
   * Ends one call, if there is one, and takes the next. Without one, and if there is credit to ask
   * for, the runner is marked as asking, and has to call {@link #lookAgain}; without credit it ends.
   */
  synchronized @Nullable HandlerCall<T> next(
      HandlerRunner<T> runner, @Nullable HandlerCall<T> finished) {
    if (runner.starting) {
      runner.starting = false;
      starting--;
    }
    if (finished != null) {
      end(finished, runner);
    }
    HandlerCall<T> call = poll();
    runner.credit = credit();
    if (call != null) {
      runner.start = shouldStart();
    } else if (runner.credit > 0) {
      runner.asking = true;
      asking++;
    } else {
      runners--;
    }
    return call;
  }

  /** Looks once more after credit was asked for; the runner ends if there is nothing. */
  synchronized @Nullable HandlerCall<T> lookAgain(HandlerRunner<T> runner) {
    runner.asking = false;
    asking--;
    HandlerCall<T> call = poll();
    if (call == null) {
      runners--;
    } else {
      runner.start = shouldStart();
    }
    return call;
  }

  /** Ends one call and the runner with it, which another runner follows. */
  synchronized void handOver(HandlerRunner<T> runner, @Nullable HandlerCall<T> finished) {
    if (finished != null) {
      end(finished, runner);
    }
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

  /** Starts a runner, and asks for credit, if there is anything to do. */
  synchronized void wake(Effects effects) {
    effects.credit = credit();
    effects.start = shouldStart();
  }

  private @Nullable HandlerCall<T> poll() {
    HandlerCall<T> waited = resumed.poll();
    if (waited != null) {
      waited.thread = interrupts ? Thread.currentThread() : null;
      return waited;
    }
    if (paused || stopped || aloneRuns || freeCount == 0) {
      return null;
    }
    if (!suspects.isEmpty() && reserve()) {
      return takeAlone();
    }
    Fetched<T> first = pollReady();
    if (first == null) {
      return reserved ? takeAlone() : null;
    }
    return take(batches ? batch(first) : first);
  }

  /** Returns the next one that may start beside others; suspects and busy keys are put aside. */
  private @Nullable Fetched<T> pollReady() {
    for (Fetched<T> next = ready.poll(); next != null; next = ready.poll()) {
      if (next.suspect) {
        suspects.add(next);
        if (reserve()) {
          return null;
        }
      } else if (lanes == null || lanes.enter(next)) {
        return next;
      }
    }
    return null;
  }

  private boolean reserve() {
    if (!reserved) {
      reserved = alone.acquire(owner);
    }
    return reserved;
  }

  /** Takes a suspect as soon as nothing else runs; until then nothing is taken. */
  private @Nullable HandlerCall<T> takeAlone() {
    if (running() > 0) {
      return null;
    }
    Fetched<T> suspect = suspects.remove();
    aloneRuns = true;
    HandlerCall<T> call = batches ? new BatchCall<>(owner, List.of(suspect)) : suspect;
    call.alone = true;
    return take(call);
  }

  private BatchCall<T> batch(Fetched<T> first) {
    List<Fetched<T>> batch = new ArrayList<>(Math.min(maxBatch, ready.size() + 1));
    for (Fetched<T> next = first; next != null; next = pollReady()) {
      batch.add(next);
      if (batch.size() == maxBatch) {
        break;
      }
    }
    return new BatchCall<>(owner, batch);
  }

  private HandlerCall<T> take(HandlerCall<T> call) {
    int size = call.size();
    for (int i = 0; i < size; i++) {
      call.get(i).taken();
    }
    buffered -= size;
    occupied += size;
    call.slot = free[--freeCount];
    slots[call.slot] = call;
    call.thread = interrupts ? Thread.currentThread() : null;
    return call;
  }

  private void end(HandlerCall<T> call, Effects effects) {
    if (call.slot < 0) {
      return; // a stage that completed twice
    }
    slots[call.slot] = null;
    free[freeCount++] = call.slot;
    call.slot = -1;
    call.thread = null;
    occupied -= call.size();
    for (int i = 0; i < call.size(); i++) {
      record(call.get(i));
    }
    if (call.overdue) {
      overdue--;
      tally.lateReturns++;
    }
    endAlone(call, effects);
    effects.endedInStop = stopped;
  }

  private void endAlone(HandlerCall<T> call, Effects effects) {
    if (call.alone) {
      call.alone = false;
      aloneRuns = false;
      reserved = false;
      effects.aloneEnded = true;
    }
  }

  /** Counts a delivery by its ending, once its slot is free; until then {@link #counters} looks. */
  private void record(Fetched<T> delivery) {
    Ending ending = delivery.ending();
    if (!delivery.recorded && ending != null) {
      delivery.recorded = true;
      tally.ended(ending);
    }
    if (lanes != null) {
      Fetched<T> next = lanes.leave(delivery);
      if (next != null) {
        ready.addFirst(next);
      }
    }
  }

  private int credit() {
    if (stopped) {
      return 0;
    }
    int behind = Math.max(0, unsettled.get() - MAX_UNSETTLED);
    int missing = allowed - openCredit - buffered - occupied - behind;
    if (missing < leastCredit) {
      return 0;
    }
    openCredit += missing;
    return missing;
  }

  /** Counts one more runner, if there is more to do than runners will take. */
  private boolean shouldStart() {
    int tasks = resumed.size();
    if (!paused && !aloneRuns) {
      tasks += Math.min(freeCount, ready.size() + suspects.size());
    }
    if (runners >= maxRunners || starting + asking >= tasks) {
      return false;
    }
    runners++;
    starting++;
    return true;
  }

  /** Returns the calls that are neither over nor overdue. */
  private int running() {
    return slots.length - freeCount - overdue;
  }

  synchronized void pause(Effects effects) {
    paused = true;
    unreserve(effects);
  }

  synchronized void unpause(Effects effects) {
    paused = false;
    effects.start = shouldStart();
  }

  synchronized boolean isPaused() {
    return paused;
  }

  private void unreserve(Effects effects) {
    if (reserved && !aloneRuns) {
      reserved = false;
      effects.aloneEnded = true;
    }
  }

  /** Takes no more from now on, and returns what waits, which has to go back. */
  synchronized List<Fetched<T>> stop(Effects effects) {
    List<Fetched<T>> waiting = waiting();
    ready.clear();
    suspects.clear();
    if (lanes != null) {
      lanes.clear();
    }
    if (!stopped) {
      stopped = true;
      tally.inFlightAtStop = tally.inFlight(buffered) - endedInSlots(null);
    }
    buffered = 0;
    waiting.forEach(each -> tally.ended(Ending.GIVEN_BACK));
    tally.givenBackByStop += waiting.size();
    unreserve(effects);
    return waiting;
  }

  /**
   * Returns whether no handler is under way, except those that wait for this subscription's stop.
   *
   * @param besidesAllStops whether also those do not matter that wait for the stop of another one,
   *     which may wait for the caller
   */
  synchronized boolean isQuiet(boolean besidesAllStops) {
    for (HandlerCall<T> call : slots) {
      if (call != null && !call.overdue && !call.isInStop(besidesAllStops)) {
        return false;
      }
    }
    return true;
  }

  /** Returns whether no handler is under way that could still settle. */
  synchronized boolean isIdle() {
    return running() == 0;
  }

  synchronized boolean isEmpty() {
    return freeCount == slots.length;
  }

  synchronized void stopsInside(HandlerCall<T> call, boolean own, int change) {
    call.stopsInside += change;
    call.stopsOfOwn += own ? change : 0;
  }

  /** Cuts the calls whose time is over, interrupts their threads, and returns their messages. */
  synchronized List<Fetched<T>> expire(long now, Effects effects) {
    List<Fetched<T>> cut = new ArrayList<>();
    for (HandlerCall<T> call : slots) {
      if (call != null && call.deadline <= now) {
        cut(call, Stage.TIMED_OUT, Ending.TIMED_OUT, cut, effects);
      }
    }
    effects.start = shouldStart();
    return cut;
  }

  /** Returns the earliest deadline of the calls under way. */
  synchronized long earliestDeadline() {
    long earliest = HandlerCall.NEVER;
    for (HandlerCall<T> call : slots) {
      if (call != null && !call.overdue) {
        earliest = Math.min(earliest, call.deadline);
      }
    }
    return earliest;
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
    for (HandlerCall<T> call : slots) {
      if (call != null && !call.isInStop(besidesAllStops)) {
        cut(call, Stage.INTERRUPTED, Ending.FAILED, cut, effects);
      }
    }
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
        cut.add(delivery);
      }
    }
    if (cut.size() > before) {
      call.overdue = true;
      overdue++;
      endAlone(call, effects);
      if (call.thread != null) {
        call.thread.interrupt();
      }
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

  synchronized long droppedCount() {
    return tally.dropped;
  }

  /** Marks all that wait as seen, and returns when the oldest was first seen; -1 without any. */
  synchronized long oldestSeen(long now) {
    long oldest = HandlerCall.NEVER;
    for (Fetched<T> each : waiting()) {
      if (each.seen < 0) {
        each.seen = now;
      }
      oldest = Math.min(oldest, each.seen);
    }
    return oldest == HandlerCall.NEVER ? -1 : oldest;
  }

  private List<Fetched<T>> waiting() {
    List<Fetched<T>> waiting = new ArrayList<>(ready);
    if (lanes != null) {
      lanes.addTo(waiting);
    }
    waiting.addAll(suspects);
    return waiting;
  }

  synchronized int bufferedCount() {
    return buffered;
  }

  synchronized int handlersRunning() {
    return slots.length - freeCount - resumed.size();
  }

  synchronized SubscriptionCounters counters() {
    return tally.counters(buffered, this::endedInSlots);
  }

  /** Counts the deliveries that have ended and whose slots are not free yet. */
  private int endedInSlots(long @Nullable [] byEnding) {
    int count = 0;
    for (HandlerCall<T> call : slots) {
      for (int i = 0; call != null && i < call.size(); i++) {
        Ending ending = call.get(i).recorded ? null : call.get(i).ending();
        if (ending != null) {
          count++;
          if (byEnding != null) {
            byEnding[ending.index]++;
          }
        }
      }
    }
    return count;
  }

  /** Returns what the stop's report is made of; only deliveries before it are counted. */
  synchronized StopReport report(Duration took) {
    return new StopReport(
        took, tally.inFlightAtStop - tally.interrupted, tally.givenBackByStop, tally.interrupted);
  }
}
