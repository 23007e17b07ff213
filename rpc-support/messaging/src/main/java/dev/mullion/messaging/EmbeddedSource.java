package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One subscription. Its owner (a queue, a buffer, a subject) assigns parcels under the owner's
 * lock, against credit. They are handed to the sink outside of it, in the order in which they were
 * assigned, by the one thread that has the turn:
 *
 * <pre>{@code
 *  under the owner's lock     if (hasCredit()) { assign(parcel); } myTurn = announce();
 *  outside                    if (myTurn) { runTurn(); }
 * }</pre>
 *
 * The turn is a count of what is assigned and not yet handed out: the thread that raises it from 0
 * has it.
 */
abstract class EmbeddedSource implements Source {
  private static final int LONG_TURN = 256;
  private static final long CANCEL_NANOS = TimeUnit.SECONDS.toNanos(10);

  final EmbeddedLink link;
  final Sink sink;
  private final Executor background;
  private final AtomicLong asked = new AtomicLong();
  private long credit; // guarded by the owner's lock
  private Parcel last = new Nothing(); // guarded by the owner's lock
  private int assigned; // guarded by the owner's lock: what is not announced yet
  private Parcel before = last; // belongs to the turn: the one handed out last
  private final AtomicInteger turn = new AtomicInteger();
  private @Nullable Thread holder; // a thread sees itself here only while it has the turn

  @Nullable
  EmbeddedSource nextAssigned; // guarded by the owner's lock

  @Nullable
  EmbeddedSource nextTurn; // belongs to the turn

  private volatile boolean cancelled;
  private final ReentrantLock turnLock = new ReentrantLock();
  private final Condition turnEnded = turnLock.newCondition();

  EmbeddedSource(EmbeddedLink link, Sink sink) {
    this.link = link;
    this.sink = sink;
    this.background = link.background();
  }

  @Override
  public final void request(int deliveries) {
    if (deliveries <= 0) {
      throw new IllegalArgumentException("deliveries: " + deliveries + " (expected: > 0)");
    }
    asked.getAndAdd(deliveries);
    credited();
  }

  /** Assigns what waits; the credit is seen by {@link #hasCredit} already. */
  abstract void credited();

  @Override
  public final CompletionStage<Void> ready() {
    return Parcel.DONE; // what is sent after the source was made finds it
  }

  final boolean isCancelled() {
    return cancelled;
  }

  /** Returns whether something can be assigned; under the owner's lock. */
  final boolean hasCredit() {
    if (credit == 0 && asked.get() != 0) {
      credit = asked.getAndSet(0);
    }
    return credit > 0 && !cancelled;
  }

  /** Returns how many messages can be assigned; under the owner's lock. */
  final int credit() {
    return hasCredit() ? (int) Math.min(credit, Integer.MAX_VALUE) : 0;
  }

  /**
   * Appends a parcel, which uses up one credit, if there is any; under the owner's lock.
   *
   * @return whether it is the first one since the last {@link #announce}
   */
  final boolean assign(Parcel parcel) {
    credit = Math.max(0, credit - parcel.count());
    last.next = parcel;
    last = parcel;
    return ++assigned == 1;
  }

  /**
   * Adds what was assigned to the turn; under the owner's lock.
   *
   * @return whether the caller now has the turn, and calls {@link #runTurn} outside the lock
   */
  final boolean announce() {
    int more = assigned;
    assigned = 0;
    return more != 0 && turn.getAndAdd(more) == 0;
  }

  /** Returns whether something is assigned and not handed out yet; under no lock. */
  final boolean isInTurn() {
    return turn.get() != 0;
  }

  /** Runs the turns of a chain of sources; under no lock. */
  static void runTurns(@Nullable EmbeddedSource first, boolean here) {
    for (EmbeddedSource source = first; source != null; ) {
      EmbeddedSource following = source.nextTurn;
      source.nextTurn = null;
      if (here) {
        source.runTurn();
      } else {
        source.passTurn();
      }
      source = following;
    }
  }

  /** Hands out what is assigned; the caller has the turn, and holds no lock. */
  final void runTurn() {
    int handedOut = 0;
    int assigned = turn.get();
    while (assigned != 0) {
      holder = Thread.currentThread();
      handOut(assigned);
      handedOut += assigned;
      holder = null;
      assigned = turn.addAndGet(-assigned);
      if (assigned != 0 && handedOut >= LONG_TURN) {
        passTurn(); // a sender must not go on for the others for ever
        return;
      }
    }
    if (cancelled) {
      signalEnd();
    }
  }

  /** Runs the turn on the broker's own thread; the caller has it. */
  final void passTurn() {
    try {
      background.execute(this::runTurn);
    } catch (Throwable e) { // the broker ends, or there is no memory for its thread
      runTurn();
    }
  }

  private Parcel poll() {
    Parcel parcel = requireNonNull(before.next);
    before.next = null; // else one long-lived delivery would keep all later ones in memory
    before = parcel;
    return parcel;
  }

  private void handOut(int assigned) {
    List<Parcel> parcels = load(assigned);
    try {
      sink.deliver(deliveries(parcels));
    } catch (Throwable e) { // the turn must end, and no message must be lost
      LimitedLog.warn("sink", "a sink did not take a delivery", e);
      parcels.forEach(this::notTaken);
    }
  }

  private List<Parcel> load(int assigned) {
    if (assigned == 1) {
      Parcel only = poll();
      return load(only) ? List.of(only) : List.of();
    }
    List<Parcel> parcels = new ArrayList<>(assigned);
    for (int i = 0; i < assigned; i++) {
      Parcel next = poll();
      if (load(next)) {
        parcels.add(next);
      }
    }
    return parcels;
  }

  private static List<? extends RawDelivery> deliveries(List<Parcel> parcels) {
    if (parcels.size() == 1) {
      return parcels.get(0).deliveries();
    }
    List<RawDelivery> deliveries = new ArrayList<>(parcels.size());
    parcels.forEach(parcel -> deliveries.addAll(parcel.deliveries()));
    return deliveries;
  }

  private boolean load(Parcel parcel) {
    try {
      if (!cancelled) {
        parcel.load();
        return true;
      }
    } catch (Throwable e) { // Error too, such as no memory: the turn must end
      takeBack(parcel);
      fail(
          e instanceof MessagingException known
              ? known
              : new StoreException("a message could not be read: " + e, e));
      return false;
    }
    takeBack(parcel);
    return false;
  }

  /** Keeps what the sink did not take for another, or counts it as dropped. */
  void notTaken(Parcel parcel) {
    takeBack(parcel);
  }

  private static void takeBack(Parcel parcel) {
    try {
      parcel.takeBack();
    } catch (Throwable e) { // the turn must end all the same
      LimitedLog.warn("give back", "a message could not be given back", e);
    }
  }

  /** Tells the sink that this source has ended; under no lock. */
  final void fail(MessagingException cause) {
    if (withdraw()) {
      try {
        sink.failed(cause);
      } catch (Throwable e) { // the others have to be told too
        LimitedLog.warn("sink", "a sink did not take the end of its source", e);
      }
    }
  }

  /** Reports messages that were dropped for lack of room; under no lock. */
  final void reportDropped(long messages) {
    try {
      sink.dropped(messages);
    } catch (Throwable e) { // must not fail the sender
      LimitedLog.warn("sink", "a sink did not take the number of dropped messages", e);
    }
  }

  /** Marks the source as cancelled and takes it from its owner; false if it was before. */
  final boolean withdraw() {
    turnLock.lock();
    try {
      if (cancelled) {
        return false;
      }
      cancelled = true;
    } finally {
      turnLock.unlock();
    }
    withdrawn();
    return true;
  }

  /** Takes this source out of its owner's list, under the owner's lock. */
  abstract void withdrawn();

  @Override
  public final void cancel() {
    withdraw();
    if (holder != Thread.currentThread()) { // a sink may cancel its own source
      awaitTurnEnd();
    }
  }

  private void awaitTurnEnd() {
    boolean interrupted = false;
    long end = System.nanoTime() + CANCEL_NANOS;
    turnLock.lock();
    try {
      long left = CANCEL_NANOS;
      while (turn.get() != 0 && left > 0) {
        try {
          left = turnEnded.awaitNanos(left);
        } catch (InterruptedException e) { // the promise stands: no delivery begins after this
          interrupted = true;
          left = end - System.nanoTime();
        }
      }
    } finally {
      turnLock.unlock();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void signalEnd() {
    turnLock.lock();
    try {
      turnEnded.signalAll();
    } finally {
      turnLock.unlock();
    }
  }

  @Override
  public final void close() {
    cancel();
    giveBack();
    link.closed(this);
  }

  /** Gives back what was handed out and not settled. */
  abstract void giveBack();

  /** Stands before the first parcel. */
  private static final class Nothing extends Parcel {
    @Override
    List<RawDelivery> deliveries() {
      return List.of();
    }

    @Override
    void takeBack() {}
  }
}
