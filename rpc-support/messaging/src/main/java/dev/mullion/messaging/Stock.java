package dev.mullion.messaging;

import dev.mullion.messaging.Fetched.Stage;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The messages of one subscription, from their arrival to their end: those that wait, those in the
 * slots of handlers, and the counts of all of them. Guarded by the inbox's lock.
 *
 * <pre>
 *  add --&gt; backlog --take--&gt; slots --endAll--&gt; ended
 *             ^                |
 *             '----putBack-----'   what its runner did not begin
 * </pre>
 */
final class Stock<T> {
  final Backlog<T> backlog;
  final Slots<T> slots;
  final Tally tally = new Tally();

  private final RunningSubscription<T> owner;
  private final AtomicInteger unsettled;
  private final boolean batches;
  private final int maxBatch;
  private final int maxTaken;

  Stock(
      RunningSubscription<T> owner,
      Alone alone,
      SubscriptionPlan<T> plan,
      AtomicInteger unsettled,
      int maxTaken) {
    this.owner = owner;
    this.unsettled = unsettled;
    this.batches = plan.batches();
    this.maxBatch = plan.maxBatch();
    this.maxTaken = maxTaken;
    this.backlog = new Backlog<>(owner, alone, plan.keepsKeyOrder());
    this.slots = new Slots<>(plan.concurrency(), maxTaken, !plan.async());
  }

  /** Adds the calls that may be made now; the only runner may make several, one by one. */
  void take(List<HandlerCall<T>> calls) {
    Fetched<T> next = backlog.poll(slots.running() > 0);
    while (next != null) {
      HandlerCall<T> call = batches ? batch(next) : next;
      call.alone = backlog.aloneRuns();
      slots.take(call);
      calls.add(call);
      next = calls.size() < maxTaken && !call.alone ? backlog.pollReady() : null;
    }
  }

  /** Returns whether nothing waits and no slot is taken. */
  boolean isClear() {
    return backlog.size() == 0 && slots.busy() == 0;
  }

  /** Returns whether none may start, since one runs alone, or waits for the others to end. */
  boolean isHeld() {
    return backlog.isHeld() && slots.running() > 0;
  }

  /** Ends a run: counts what has begun, and puts the rest back. */
  void endRun(Run<T> run, Effects effects) {
    if (run.isEven()) {
      tally.ended(Ending.ACKNOWLEDGED, run.size());
      effects.ended = true;
    } else {
      endUneven(run, effects);
    }
    run.forget();
    slots.freeRun();
  }

  private void endUneven(Run<T> run, Effects effects) {
    putBackRest(run);
    effects.ended |= run.size() > 0;
    run.removeBegun(message -> {
      if (message.overdue) {
        tally.lateReturns++;
        slots.returned(message);
      }
      count(message);
    });
  }

  /** Puts back what has not begun. */
  private void putBackRest(Run<T> run) {
    List<Fetched<T>> rest = run.cutOff();
    for (int i = rest.size() - 1; i >= 0; i--) {
      backlog.putBack(rest.get(i));
    }
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
  void endAll(List<HandlerCall<T>> calls, Effects effects) {
    for (int i = calls.size() - 1; i >= 0; i--) {
      if (!putBack(calls.get(i))) {
        end(calls.get(i), effects);
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
  void leaveOnly(HandlerCall<T> call) {
    Run<T> run = slots.run();
    if (run != null) {
      putBackRest(run);
      run.removeEnded(this::count);
    }
    for (HandlerCall<T> other : slots.others(call, maxTaken)) {
      if (!putBack(other)) {
        free(other);
      }
    }
  }

  /** Ends a call, unless that was done already. */
  void end(HandlerCall<T> call, Effects effects) {
    if (!free(call)) {
      return;
    }
    if (call.overdue) {
      tally.lateReturns++;
    }
    endAlone(call, effects);
    effects.ended = true;
  }

  private boolean free(HandlerCall<T> call) {
    if (!slots.free(call)) {
      return false;
    }
    for (int i = 0; i < call.size(); i++) {
      Fetched<T> delivery = call.get(i);
      count(delivery);
      backlog.ended(delivery);
    }
    return true;
  }

  private void count(Fetched<T> delivery) {
    Ending ending = delivery.ending();
    if (!delivery.recorded && ending != null) {
      delivery.recorded = true;
      tally.ended(ending);
    }
  }

  private void endAlone(HandlerCall<T> call, Effects effects) {
    if (call.alone) {
      call.alone = false;
      backlog.endAlone();
      effects.aloneEnded = true;
    }
  }

  /** Gives back all that waits, as far as no runner has just begun it. */
  List<Fetched<T>> giveBackWaiting() {
    Run<T> run = slots.run();
    if (run != null) {
      putBackRest(run);
    }
    List<Fetched<T>> waiting = waiting();
    backlog.drain();
    return waiting.stream().filter(this::giveBack).toList();
  }

  /** Counts a delivery as given back; it is unsettled until its owner has settled it. */
  boolean giveBack(Fetched<T> delivery) {
    if (!delivery.giveBack()) {
      return false; // its runner has just begun it
    }
    delivery.recorded = true;
    tally.ended(Ending.GIVEN_BACK);
    unsettled.incrementAndGet();
    return true;
  }

  /** Ends the deliveries of a call that has not returned, and adds them to a list. */
  void cut(HandlerCall<T> call, Stage stage, Ending ending, List<Fetched<T>> cut, Effects effects) {
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

  /** Returns all whose calls have not begun, in their order. */
  List<Fetched<T>> waiting() {
    List<Fetched<T>> waiting = slots.notBegun();
    waiting.addAll(backlog.all());
    return waiting;
  }

  /** Returns one whose call has not begun, the same as long as none begins; null without any. */
  @Nullable
  Fetched<T> firstWaiting() {
    Fetched<T> inSlot = slots.firstNotBegun();
    return inSlot != null ? inSlot : backlog.first();
  }

  int buffered() {
    return backlog.size() + slots.look().waiting();
  }

  /** Returns how many handlers are under way. */
  long inFlight() {
    return tally.inFlight(backlog.size()) - slots.look().notRunning();
  }

  SubscriptionCounters counters() {
    return tally.counters(backlog.size(), slots.look());
  }
}
