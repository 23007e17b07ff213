package dev.mullion.messaging;

import dev.mullion.messaging.ParkedSends.Parked;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Sink;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A live subscriber of a topic, or a receiver of a signal, with its bounded buffer of messages that
 * wait for credit. Most publishers only append to the lane of its topic, and do not look at it.
 */
final class LiveSource extends EmbeddedSource {
  private static final int MANY = 64;

  private final LiveOwner owner;
  private final String address;
  private final Overflow overflow;
  private final MessagingClock clock;
  private final ReentrantLock lock = new ReentrantLock();
  private final ParkedSends<LiveDelivery> parked = new ParkedSends<>();
  private final Alarm alarm;
  private final FullMark full = new FullMark();
  private final Watchers watchers = new Watchers();
  private final LiveBuffer buffer;
  private volatile boolean sendsWait;
  private volatile boolean findsFew;
  private long handedOut;

  /** The lane is null for receivers of signals; others have to {@link #join} it. */
  LiveSource(
      EmbeddedLink link,
      Sink sink,
      LiveOwner owner,
      String address,
      @Nullable LiveLane lane,
      ConsumerSettings settings) {
    super(link, sink);
    this.owner = owner;
    this.address = address;
    this.overflow = settings.overflow();
    this.clock = link.clock();
    this.alarm = new Alarm(clock, this::failLate);
    this.buffer = new LiveBuffer(this, lane, settings);
  }

  String topic() {
    return address;
  }

  Overflow overflow() {
    return overflow;
  }

  /** Gets what is published from now on. */
  void join() {
    buffer.join();
  }

  /** Lets a sender wait for a moment if there is no room and the policy says so. */
  void awaitRoom(EmbeddedLink sender) {
    if (overflow == Overflow.BLOCK && buffer.capacity > 0) {
      lock.lock();
      leave();
      sender.awaitRoom(full);
    }
  }

  /** Hands out what is in the lane, unless somebody looks out for it. */
  void wake() {
    if (!watchers.arePresent()) {
      handOut(0);
    }
  }

  /** Takes a message, or drops one as its policy says; returns what else the sender waits for. */
  CompletionStage<Void> publish(LiveDelivery message, EmbeddedLink sender) {
    sender.awaitRoom(full);
    Offer offer = offer(message, Room.ANY);
    if (offer != Offer.FULL) {
      return Parcel.DONE;
    }
    if (overflow == Overflow.FAIL || sender.sendTimeout().isZero()) {
      return CompletableFuture.failedStage(full());
    }
    Parked<LiveDelivery> send;
    enter();
    try {
      if (isCancelled()) {
        return Parcel.DONE;
      }
      send = parked.add(message, sender);
    } finally {
      leave();
    }
    alarm.at(send.deadline);
    handOut(0); // there may be room by now
    return send.done;
  }

  /** Takes the lock, and lists what it has not read in the lane. */
  private void enter() {
    lock.lock();
    try {
      buffer.close();
    } catch (Throwable e) { // such as no memory: others go on to publish
      lock.unlock();
      throw e;
    }
  }

  /** Leaves the lock, reads the lane again, and does what is to be done outside. */
  private void leave() {
    boolean myTurn = announce();
    boolean wakes = false;
    try {
      sendsWait = !parked.isEmpty();
      buffer.open(!sendsWait && !isCancelled());
      wakes = mark();
    } finally {
      lock.unlock();
      if (wakes) {
        full.wake();
      }
      if (myTurn) {
        runTurn();
      }
    }
  }

  private QueueFullException full() {
    lock.lock();
    try {
      return buffer.full("");
    } finally {
      lock.unlock();
    }
  }

  private void failLate() {
    List<Parked<LiveDelivery>> late;
    QueueFullException error;
    long next;
    enter();
    try {
      late = parked.removeLate();
      error = buffer.full(" within sendTimeout");
      next = parked.earliestDeadline();
    } finally {
      leave();
    }
    late.forEach(send -> send.end(error));
    handOut(0); // a smaller one behind may have room
    if (next != Times.NEVER) {
      alarm.at(next);
    }
  }

  /** Takes a message if there is that room. Under no lock. */
  Offer offer(LiveDelivery message, Room room) {
    int dropped = 0;
    enter();
    try {
      if (isCancelled()) {
        return Offer.GONE;
      }
      boolean awaited = buffer.size() == 0 && parked.isEmpty() && hasCredit();
      if (awaited && !watchers.arePresent()) {
        handedOut++;
        assign(message);
      } else if (!awaited && room == Room.CREDIT) {
        return Offer.FULL;
      } else if (buffer.fits(message) && parked.isEmpty()) {
        append(message);
      } else if (room == Room.BUFFER) {
        return Offer.FULL;
      } else if (overflow == Overflow.DROP_OLDEST) {
        dropped = makeRoom(message);
      } else if (overflow == Overflow.DROP_NEWEST) {
        dropped = 1;
      } else {
        return Offer.FULL;
      }
    } finally {
      leave();
    }
    if (dropped > 0 && (overflow == Overflow.DROP_OLDEST || !owner.passesOn())) {
      reportDropped(dropped);
    }
    return dropped > 0 && overflow == Overflow.DROP_NEWEST ? Offer.DROPPED : Offer.TAKEN;
  }

  /**
   * Marks whether senders would have to wait; without a buffer they always may have to. Returns
   * whether those that do are to be woken.
   */
  private boolean mark() {
    return overflow == Overflow.BLOCK
        && buffer.capacity > 0
        && full.update(
            buffer.isFull() || !parked.isEmpty(),
            buffer.hasMuchRoom() && parked.isEmpty(),
            handedOut,
            buffer.capacity);
  }

  /** Drops the oldest until a message has room, or that message; returns how many. */
  private int makeRoom(LiveDelivery message) {
    int dropped = 0;
    while (!buffer.fits(message)) {
      dropped++;
      if (buffer.poll() == null) {
        return dropped;
      }
    }
    append(message);
    return dropped;
  }

  /** Appends to the buffer. Under the lock. */
  private void append(LiveDelivery message) {
    buffer.add(message);
    if (buffer.size() == 1 && !watchers.arePresent() && hasCredit()) { // it came in between
      buffer.poll();
      handedOut++;
      assign(message);
    }
  }

  @Override
  void credited() {
    boolean waits;
    lock.lock();
    try {
      waits = buffer.await();
    } finally {
      lock.unlock();
    }
    if (!waits || sendsWait) {
      handOut(0);
    }
  }

  @Override
  public void poll(int deliveries) {
    if (isAny() || watchers.lookOut(this::isAny)) {
      if (findsFew) {
        Watchers.gather();
      }
      handOut(deliveries);
    }
  }

  private boolean isAny() {
    return !buffer.isEmpty() || sendsWait;
  }

  /** Assigns what waits, as far as there is credit, but that many at least. */
  private void handOut(int least) {
    long expired = 0;
    List<Parked<LiveDelivery>> accepted = new ArrayList<>(0);
    lock.lock();
    long before = handedOut;
    try {
      buffer.awaitNoMore();
      if (!parked.isEmpty()) {
        buffer.close(); // what is in the lane comes before those
      }
      admit(accepted);
      hasCredit(); // else credit that was just asked for would be left
      expired = assign(least, accepted);
      while (hasCredit() && !buffer.await()) {
        expired += assign(0, accepted);
      }
      long found = handedOut - before;
      findsFew = found > 1 && found < MANY; // a lone one has no others behind it
    } finally { // what was done has its end, also if the rest failed
      leave();
      accepted.forEach(send -> send.end(null));
      if (expired > 0) {
        reportDropped(expired);
      }
    }
  }

  private long assign(int least, List<Parked<LiveDelivery>> accepted) {
    long expired = 0;
    int left = buffer.share(least);
    while (hasCredit() || (left > 0 && !isCancelled())) {
      Parcel next = buffer.poll(Math.max(left, credit()));
      if (next == null) {
        break;
      }
      left -= next.count();
      if (next instanceof LiveDelivery listed && listed.isExpired(clock)) {
        expired++;
      } else {
        handedOut += next.count();
        assign(next);
      }
      admit(accepted);
    }
    return expired;
  }

  private void admit(List<Parked<LiveDelivery>> accepted) {
    while (hasRoomFor(parked.peek()) && !isCancelled()) {
      Parked<LiveDelivery> send = parked.remove();
      buffer.add(send.parcel);
      accepted.add(send);
    }
  }

  private boolean hasRoomFor(@Nullable Parked<LiveDelivery> send) {
    return send != null && (buffer.size() == 0 || buffer.fits(send.parcel));
  }

  @Override
  void notTaken(Parcel parcel) {
    if (owner.passesOn()) {
      super.notTaken(parcel);
    } else {
      reportDropped(parcel.count());
    }
  }

  @Override
  void withdrawn() {
    buffer.leave();
    owner.removed(this);
    List<LiveDelivery> rest = new ArrayList<>();
    List<Parked<LiveDelivery>> sends;
    enter();
    try {
      for (LiveDelivery message = buffer.poll(); message != null; message = buffer.poll()) {
        rest.add(message);
      }
      sends = parked.removeAll();
    } finally {
      leave();
    }
    alarm.cancel();
    sends.forEach(send -> send.end(null)); // nobody is there any more who could get it
    rest.forEach(owner::returned);
  }

  /** Fails the sends of a link that wait for room here. */
  void withdraw(EmbeddedLink sender, Exception cause) {
    List<Parked<LiveDelivery>> sends;
    enter();
    try {
      sends = parked.removeOf(sender);
    } finally {
      leave();
    }
    sends.forEach(send -> send.end(cause));
    handOut(0); // a smaller one behind may have room
  }

  /** Takes a message that no handler began. */
  void returned(LiveDelivery message) {
    owner.returned(message);
  }

  @Override
  void giveBack() {} // at most once

  /** Returns whether something waits here or is being handled. */
  boolean isBusy() {
    // in the order in which messages pass
    return sendsWait || buffered() > 0 || isInTurn() || sink.isBusy();
  }

  /** Returns how many messages wait for credit. */
  int buffered() {
    enter();
    try {
      return buffer.size();
    } finally {
      leave();
    }
  }

  /** Marks all that wait as seen, so the next look knows how long they have waited at least. */
  @Override
  public Buffer buffer() {
    enter();
    try {
      return buffer.look(clock.nanoTime());
    } finally {
      leave();
    }
  }

  /** Returns how many messages were handed out, or wait for credit. */
  long accepted() {
    enter();
    try {
      return handedOut + buffer.size();
    } finally {
      leave();
    }
  }

  /** What an offered message may use. */
  enum Room {
    /** Credit. */
    CREDIT,
    /** Credit, or the buffer if it has room. */
    BUFFER,
    /** These, and what the overflow policy allows. */
    ANY
  }

  /** What became of an offered message. */
  enum Offer {
    TAKEN,
    DROPPED,
    FULL,
    GONE
  }
}
