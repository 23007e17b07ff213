package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Sink;
import dev.mullion.messaging.engine.Source;
import dev.mullion.messaging.grpc.v1.Deliver;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One subscription of a client. The engine's deliveries wait here, within the client's credit,
 * until the stream takes them.
 */
final class ServedSubscription implements Sink {
  /** How many deliveries the engine may be asked for before the stream has taken them. */
  private static final int MOST_AHEAD = 256;

  final long id;
  private final Route route;
  private final boolean announces;
  private final int concurrency;
  private final SessionDeliveries session;
  private volatile @Nullable Source source;

  /** These are guarded by this. */
  private final Deque<RawDelivery> waiting = new ArrayDeque<>();

  private long credit;
  private long parked;
  private long unsettled;

  /** The size of its larger messages of late; of live ones the most, until it is known. */
  private long usualSize;

  private boolean cancelled;
  private boolean alone;

  ServedSubscription(
      long id, Route route, boolean announces, int concurrency, SessionDeliveries session) {
    this.id = id;
    this.route = route;
    this.announces = announces;
    this.concurrency = concurrency;
    this.session = session;
    this.usualSize = isSettled() ? 1 : session.maxMessageSize();
  }

  /** Sets the engine's side; there is no credit before this. */
  void started(Source source) {
    this.source = source;
  }

  @Nullable
  Source source() {
    return source;
  }

  Route route() {
    return route;
  }

  /** Returns the queue, if this is a worker. */
  Route.@Nullable Queue queue() {
    return route instanceof Route.Queue queue ? queue : null;
  }

  boolean announces() {
    return announces;
  }

  /** Returns whether a delivery may have killed its last worker, so that it is handled alone. */
  boolean isSuspect(RawDelivery delivery) {
    return queue() != null && delivery.losses() > 0;
  }

  /** Returns whether deliveries have outcomes. */
  boolean isSettled() {
    return route instanceof Route.Queue || route instanceof Route.Subject;
  }

  /** Adds credit. What exceeds the limit together with unsettled deliveries waits for these. */
  void credit(long more) {
    int granted;
    synchronized (this) {
      int most = session.maxCredit();
      if (more < 1 || parked + credit + more > most) {
        throw new BrokenRules("credit: " + more + " more for subscription " + id + ", which has "
            + (parked + credit) + " (expected: 1 to " + most + ", the server's maxCredit, in all)");
      }
      parked += more;
      granted = grant();
    }
    request(granted);
  }

  /**
   * Returns how much of the parked credit the engine may have now: deliveries that the client does
   * not read, or has not settled, must not pile up here.
   */
  private int grant() {
    long ahead = credit + waiting.size();
    long most = session.isFull() ? (ahead == 0 ? 1 : 0) : MOST_AHEAD - ahead;
    long granted =
        Math.max(0, Math.min(Math.min(parked, most), session.maxCredit() - credit - unsettled));
    if (granted > 0) {
      long room = session.bytes().room(usualSize, unsettled == 0, credit + granted);
      granted = Math.max(0, Math.min(granted, room - credit));
    }
    parked -= granted;
    credit += granted;
    return (int) granted;
  }

  private void request(int granted) {
    Source from = source;
    if (granted <= 0 || from == null) {
      return;
    }
    try {
      from.request(granted);
    } catch (Throwable thrown) {
      logFailure("request", thrown);
      synchronized (this) {
        credit = Math.max(0, credit - granted);
        parked += granted;
      }
      session.retry(this);
    }
  }

  @Override
  public void deliver(RawDelivery delivery) {
    boolean taken;
    boolean live;
    synchronized (this) {
      credit--;
      live = !cancelled && !isSettled();
      taken = !cancelled && hasRoom(delivery);
      if (taken) {
        unsettled++;
        waiting.add(delivery);
        session.waits(delivery, 1);
      }
    }
    if (taken) {
      session.wake();
      return;
    }
    giveBack(delivery);
    if (live) {
      session.dropped(this, 1);
    }
  }

  /**
   * Takes room for a delivery. Without any it is given back: its size was not known before. Live
   * messages cannot be: they may use all room, and are dropped if there is none.
   */
  private boolean hasRoom(RawDelivery delivery) {
    long size = UnsettledBytes.of(delivery.message());
    usualSize = Math.max(size, usualSize - usualSize / 8);
    boolean room = session.bytes().take(size, unsettled == 0 || !isSettled());
    if (!room) {
      parked++;
    }
    return room;
  }

  @Override
  public synchronized boolean isBusy() {
    return unsettled > 0;
  }

  @Override
  public void dropped(long messages) {
    session.dropped(this, messages);
  }

  @Override
  public void failed(MessagingException cause) {
    session.failed(this, cause);
  }

  /** Returns the next delivery to write, or null. Called by the thread that writes. */
  @Nullable
  ServerFrame next() {
    while (true) {
      Held held;
      int granted;
      synchronized (this) {
        RawDelivery first = waiting.peek();
        if (cancelled || first == null || mustWait(first)) {
          return null;
        }
        waiting.remove();
        session.waits(first, -1);
        alone = isSuspect(first);
        held = session.hold(this, first);
        granted = parked > 0 && credit + waiting.size() <= MOST_AHEAD / 2 ? grant() : 0;
      }
      request(granted);
      ServerFrame frame = write(held);
      if (frame != null) {
        return frame;
      }
    }
  }

  /**
   * A message that may have killed its process is delivered alone; and from a queue that delivers
   * once, the client gets no more than it handles, since a loss buries what it has.
   */
  private boolean mustWait(RawDelivery first) {
    Route.Queue queue = queue();
    if (queue == null) {
      return false;
    }
    long others = unsettled - waiting.size();
    if (isSuspect(first)) {
      return others > 0 || session.hasSuspect();
    }
    return (alone && others > 0)
        || (queue.redelivery().maxDeliveries() == 1 && others >= concurrency);
  }

  private @Nullable ServerFrame write(Held held) {
    RawDelivery raw = held.raw();
    Route.Queue queue = queue();
    try {
      if (queue != null && Held.count(raw) > queue.redelivery().maxDeliveries()) {
        refuse(
            held,
            "lost with its worker in delivery " + (Held.count(raw) - 1) + " of "
                + queue.redelivery().maxDeliveries(),
            error -> new Outcome.Bury(DeadLetter.Reason.DELIVERY_LIMIT, error));
        return null;
      }
      dev.mullion.messaging.grpc.v1.Message message = WireMessages.of(raw.message());
      String tooLarge = WireMessages.tooLarge(message, session.maxMessageSize());
      if (tooLarge != null) {
        refuse(
            held,
            "message of " + tooLarge,
            error -> new Outcome.Bury(DeadLetter.Reason.REJECTED, error));
        return null;
      }
      return ServerFrame.newBuilder().setDeliver(deliver(held, message)).build();
    } catch (RuntimeException thrown) {
      Logs.LOG.log(
          Logs.Event.DELIVERY,
          Level.WARNING,
          null,
          () -> "a delivery from " + raw.address() + " failed",
          thrown);
      refuse(
          held,
          "the server cannot deliver it: " + thrown,
          error -> new Outcome.Redeliver(
              queue == null ? Duration.ZERO : queue.redelivery().delayAfter(1), error));
      return null;
    }
  }

  private Deliver deliver(Held held, dev.mullion.messaging.grpc.v1.Message message) {
    RawDelivery raw = held.raw();
    Deliver.Builder wire = Deliver.newBuilder()
        .setSubscription(id)
        .setAddress(raw.address())
        .setMessage(message)
        .setFailures(raw.failures())
        .setLosses(raw.losses());
    Route.Queue queue = queue();
    if (queue != null) {
      wire.setLast(Held.count(raw) >= queue.redelivery().maxDeliveries());
    }
    if (raw instanceof RawDelivery.Request request) {
      wire.setTimeLeft(WireMessages.of(request.timeLeft()));
    }
    if (isSettled()) {
      wire.setDelivery(held.id);
      if (!announces && queue != null) {
        session.begin(held);
      }
    } else {
      session.forget(held);
      raw.settle(new Outcome.Acknowledge());
      settled(false);
    }
    return wire.build();
  }

  /** Settles what the client does not get, and gives its credit back to the engine. */
  private void refuse(Held held, String error, Function<String, Outcome> outcome) {
    session.forget(held);
    if (held.raw() instanceof RawDelivery.Request request) {
      held.reply(Reply.error(request.id(), Reply.Status.FAILED, error));
    } else {
      held.settle(outcome.apply(error));
    }
    settled(true);
    if (!isSettled()) {
      session.dropped(this, 1);
    }
  }

  /** Notes that a delivery has an outcome; {@code unused} if the client never had it. */
  void settled(boolean unused) {
    int granted;
    boolean more;
    synchronized (this) {
      unsettled--;
      alone = false;
      if (unused) {
        parked++;
      }
      granted = cancelled ? 0 : grant();
      more = !waiting.isEmpty();
    }
    request(granted);
    if (more) {
      session.wake();
    }
  }

  /** Asks the engine for what there was no room for. */
  void resume() {
    int granted;
    synchronized (this) {
      granted = cancelled ? 0 : grant();
    }
    request(granted);
  }

  private void giveBack(RawDelivery delivery) {
    try {
      delivery.settle(new Outcome.GiveBack(false));
    } catch (Throwable thrown) {
      logFailure("settle", thrown);
    }
  }

  private void logFailure(String method, Throwable thrown) {
    Logs.LOG.log(
        Logs.Event.DELIVERY,
        Level.WARNING,
        null,
        () -> "the engine failed in " + method + " for " + route.name(),
        thrown);
  }

  /** Stops deliveries; what the client does not have yet is given back. Returns how many. */
  int cancel() {
    Deque<RawDelivery> unwritten;
    synchronized (this) {
      cancelled = true;
      unwritten = new ArrayDeque<>(waiting);
      waiting.clear();
      unsettled -= unwritten.size();
    }
    unwritten.forEach(each -> {
      session.waits(each, -1);
      session.free(each);
    });
    Source from = source;
    if (from != null) {
      try {
        from.cancel();
      } catch (Throwable thrown) { // what is here is given back all the same
        logFailure("cancel", thrown);
      }
    }
    unwritten.forEach(this::giveBack);
    return unwritten.size();
  }
}
