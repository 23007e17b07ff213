package dev.mullion.messaging.grpc;

import dev.mullion.messaging.MessagingClock;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.engine.Settlement;
import dev.mullion.messaging.grpc.v1.Dropped;
import dev.mullion.messaging.grpc.v1.Ended;
import dev.mullion.messaging.grpc.v1.Error.Kind;
import dev.mullion.messaging.grpc.v1.Extend;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Settle;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** What one client has subscribed to, what was delivered to it, and what became of that. */
final class SessionDeliveries {
  private static final Duration RETRY = Duration.ofMillis(100);
  private static final long MOST_WAITING_BYTES = 16L << 20;

  private final ServerSession session;
  private final Serving.Limits limits;
  private final Map<Long, Held> held = new ConcurrentHashMap<>();
  private final Map<Long, ServedSubscription> subscriptions = new ConcurrentHashMap<>();
  private final AtomicLong lastDelivery = new AtomicLong();
  private final AtomicInteger waiting = new AtomicInteger();
  private final AtomicLong waitingBytes = new AtomicLong();
  private final UnsettledBytes bytes;
  private final AtomicInteger suspects = new AtomicInteger();

  /** Those with deliveries to write, in turn; changed by the thread of the client's frames. */
  private final List<ServedSubscription> lanes = new CopyOnWriteArrayList<>();

  /** Used by the thread that writes. */
  private int lane;

  private final HandlerTimes times;

  SessionDeliveries(ServerSession session, Serving.Limits limits, MessagingClock clock) {
    this.session = session;
    this.limits = limits;
    this.bytes = new UnsettledBytes(limits.maxUnsettledBytes());
    this.times = new HandlerTimes(clock, held.values(), session::execute);
  }

  int maxCredit() {
    return limits.maxCredit();
  }

  int maxMessageSize() {
    return limits.maxMessageSize();
  }

  UnsettledBytes bytes() {
    return bytes;
  }

  /** Frees the room of a delivery that has an outcome, or needs none and was written. */
  void free(RawDelivery delivery) {
    if (bytes.free(UnsettledBytes.of(delivery.message()))) {
      subscriptions.values().forEach(ServedSubscription::resume);
    }
  }

  /** Asks the engine again later, which failed when it was asked. */
  void retry(ServedSubscription subscription) {
    if (!session.isOver()) {
      MessagingClock.system().schedule(RETRY, () -> session.execute(subscription::resume));
    }
  }

  boolean hasSuspect() {
    return suspects.get() > 0;
  }

  boolean isEmpty() {
    return held.isEmpty();
  }

  void wake() {
    session.answers.outbox.wake();
  }

  /** Counts a delivery that begins or ends to wait for the stream. */
  void waits(RawDelivery delivery, int sign) {
    waiting.addAndGet(sign);
    waitingBytes.addAndGet((long) sign * delivery.message().payload().length);
  }

  /** Returns whether so much waits for the stream that the engine is asked for no more. */
  boolean isFull() {
    return waitingBytes.get() > MOST_WAITING_BYTES;
  }

  /** Adds a subscription that is about to start. */
  void add(ServedSubscription subscription) {
    if (subscriptions.size() >= limits.maxSubscriptions()) {
      throw new BrokenRules("subscriptions: " + subscriptions.size() + " (expected: <= "
          + limits.maxSubscriptions() + ", the server's maxSubscriptions for each client)");
    }
    if (subscription.id == 0 || subscriptions.putIfAbsent(subscription.id, subscription) != null) {
      throw new BrokenRules("subscription: " + subscription.id
          + " (expected: not 0, and not that of an open subscription)");
    }
    lanes.add(subscription);
  }

  void remove(ServedSubscription subscription) {
    subscriptions.remove(subscription.id);
    lanes.remove(subscription);
  }

  @Nullable
  ServedSubscription find(long subscription) {
    return subscriptions.get(subscription);
  }

  /** Returns whether deliveries wait to be written. */
  boolean hasNext() {
    return waiting.get() > 0;
  }

  /** Returns the next delivery to write: one of each subscription in turn. */
  @Nullable
  ServerFrame next() {
    Object[] all = lanes.toArray();
    for (int i = 0; i < all.length; i++) {
      lane = lane + 1 < all.length ? lane + 1 : 0;
      ServerFrame frame = ((ServedSubscription) all[lane]).next();
      if (frame != null) {
        return frame;
      }
    }
    return null;
  }

  Held hold(ServedSubscription subscription, RawDelivery delivery) {
    Held next = new Held(lastDelivery.incrementAndGet(), subscription, delivery);
    held.put(next.id, next);
    if (subscription.isSuspect(delivery)) {
      suspects.incrementAndGet();
    }
    return next;
  }

  /** Removes a delivery; returns false if that was done. */
  boolean forget(Held delivery) {
    if (!held.remove(delivery.id, delivery)) {
      return false;
    }
    if (delivery.subscription.isSuspect(delivery.raw()) && suspects.decrementAndGet() == 0) {
      wake();
    }
    free(delivery.raw());
    return true;
  }

  /** Returns a delivery, or null if it has been settled. */
  private @Nullable Held held(long id) {
    Held found = held.get(id);
    if (found == null && (id < 1 || id > lastDelivery.get())) {
      throw new BrokenRules("delivery: " + id + " (expected: one that was delivered, 1 to "
          + lastDelivery.get() + ")");
    }
    return found;
  }

  void begin(long id) {
    Held found = held(id);
    if (found != null) {
      begin(found);
    }
  }

  /** Starts the time of a handler. */
  void begin(Held delivery) {
    Route.Queue queue = delivery.subscription.queue();
    if (queue == null) {
      delivery.begin(Long.MAX_VALUE);
      return;
    }
    long deadline = times.after(delivery, queue.handlerTimeout());
    if (delivery.begin(deadline)) {
      times.watch(deadline);
    }
  }

  void extend(Extend frame) {
    Held found = held(frame.getDelivery());
    Duration time = WireMessages.from(frame.getTime());
    if (time.isNegative() || time.isZero()) {
      throw new BrokenRules("time: " + time + " (expected: > 0)");
    }
    long deadline = found == null ? 0 : times.after(found, time);
    if (found == null || !found.extend(deadline)) {
      session.answers.done(
          frame.getId(),
          WireErrors.of(
              Kind.KIND_LEASE_LOST, "the time of delivery " + frame.getDelivery() + " is over"));
      return;
    }
    times.watch(deadline);
    found
        .raw()
        .extend(time)
        .whenComplete((extended, error) ->
            session.answers.done(frame.getId(), error == null ? null : WireErrors.of(error)));
  }

  void settle(Settle frame) {
    settle(frame.getDelivery(), frame);
    frame.getAcknowledged().getMoreDeliveriesList().forEach(each -> settle(each, frame));
    session.checkDrained();
  }

  private void settle(long delivery, Settle frame) {
    Held found = held(delivery);
    if (found == null || !forget(found)) {
      session.answers.settled(delivery, Settlement.LEASE_LOST);
      return;
    }
    CompletionStage<Settlement> outcome;
    try {
      outcome = Outcomes.apply(found, frame, limits.maxMessageSize());
    } catch (RuntimeException | Error thrown) {
      found.giveBack(true, "its replier broke the rules");
      throw thrown;
    } finally {
      found.subscription.settled(false);
    }
    session.serving.settledInStop.add(session.isStopping() ? 1 : 0);
    outcome.whenComplete((settlement, error) -> {
      if (error != null) {
        Logs.LOG.log(
            Logs.Event.OUTCOME, Level.WARNING, null, () -> "an outcome was not applied", error);
      }
      session.answers.settled(delivery, error == null ? settlement : Settlement.UNKNOWN);
    });
  }

  void dropped(ServedSubscription subscription, long messages) {
    session.answers.add(ServerFrame.newBuilder()
        .setDropped(Dropped.newBuilder().setSubscription(subscription.id).setMessages(messages))
        .build());
  }

  /** The engine ended a subscription. */
  void failed(ServedSubscription subscription, MessagingException cause) {
    remove(subscription);
    end(subscription, true, "the subscription ended");
    session.answers.add(ServerFrame.newBuilder()
        .setEnded(
            Ended.newBuilder().setSubscription(subscription.id).setError(WireErrors.of(cause)))
        .build());
  }

  /** Ends a subscription; its unsettled deliveries are given back, or can still be settled. */
  void unsubscribe(long id, boolean giveBack) {
    ServedSubscription subscription = find(id);
    // It may just have ended.
    if (subscription != null) {
      lanes.remove(subscription);
      if (giveBack) {
        remove(subscription);
        end(subscription, false, "the subscription ended");
      } else {
        subscription.cancel();
      }
    }
    session.answers.add(ServerFrame.newBuilder()
        .setEnded(Ended.newBuilder().setSubscription(id))
        .build());
  }

  private void end(ServedSubscription subscription, boolean counted, String why) {
    subscription.cancel();
    for (Held each : of(subscription)) {
      if (forget(each)) {
        each.giveBack(counted && each.isBegun(), why);
        subscription.settled(false);
      }
    }
    close(subscription);
  }

  private void close(ServedSubscription subscription) {
    var source = subscription.source();
    if (source != null) {
      session.execute(source::close);
    }
  }

  /** Returns the deliveries of a subscription, the oldest first. */
  private List<Held> of(ServedSubscription subscription) {
    List<Held> all = new ArrayList<>();
    held.values().forEach(each -> {
      if (each.subscription == subscription) {
        all.add(each);
      }
    });
    all.sort(Comparator.comparingLong(each -> each.id));
    return all;
  }

  /** Stops new deliveries, as the server stops; those that the client has can be settled. */
  void stop() {
    for (ServedSubscription each : subscriptions.values()) {
      session.serving.givenBackInStop.add(each.cancel());
    }
  }

  /**
   * Gives back all that the client has, at the end of its stream.
   *
   * @param lost whether the client may have died
   */
  void release(boolean lost) {
    times.stop();
    for (ServedSubscription each : subscriptions.values()) {
      each.cancel();
    }
    for (ServedSubscription each : subscriptions.values()) {
      release(each, lost);
      remove(each);
      close(each);
    }
  }

  private void release(ServedSubscription subscription, boolean lost) {
    boolean counted = lost && !session.isStopping();
    boolean request = lost && subscription.queue() == null;
    for (Held each : of(subscription)) {
      if (forget(each)) {
        release(each, counted || request || (!lost && each.isBegun()));
      }
    }
  }

  private void release(Held delivery, boolean counted) {
    if (!delivery.isEnded() && session.isStopping()) {
      (delivery.isBegun() ? session.serving.lostInStop : session.serving.givenBackInStop)
          .increment();
    }
    delivery.giveBack(counted, "the replier's connection was lost");
  }
}
