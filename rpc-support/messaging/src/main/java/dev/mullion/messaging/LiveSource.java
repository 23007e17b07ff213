package dev.mullion.messaging;

import dev.mullion.messaging.ParkedSends.Parked;
import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Outcome;
import dev.mullion.messaging.engine.Sink;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A live subscriber of a topic, or a receiver of a signal, with its bounded buffer of messages that
 * wait for credit. As in {@link JobQueue}, {@code backlog} saves the lock of those who ask for more
 * while nothing waits.
 */
final class LiveSource extends EmbeddedSource {
  private static final int MOST_MARKED = 1024; // larger buffers have some of it at the subscriber

  private final Owner owner;
  private final String address;
  private final int capacity;
  private final Overflow overflow;
  private final MessagingClock clock;
  private final ReentrantLock lock = new ReentrantLock();
  private final ParkedSends<LiveDelivery> parked = new ParkedSends<>();
  private final Alarm alarm;
  private final FullMark full = new FullMark();
  private final Watchers watchers = new Watchers();
  private final AtomicLong settled = new AtomicLong();
  private volatile boolean backlog;
  private @Nullable LiveDelivery first;
  private @Nullable LiveDelivery last;
  private int buffered;
  private long handedOut;

  LiveSource(EmbeddedLink link, Sink sink, Owner owner, String address, ConsumerSettings settings) {
    super(link, sink);
    this.owner = owner;
    this.address = address;
    this.capacity = settings.buffer();
    this.overflow = settings.overflow();
    this.clock = link.clock();
    this.alarm = new Alarm(clock, this::failLate);
  }

  String topic() {
    return address;
  }

  /** Takes a message, or drops one as its policy says; returns what else the sender waits for. */
  @Nullable
  CompletionStage<Void> publish(LiveDelivery message, EmbeddedLink sender) {
    sender.awaitRoom(full);
    Offer offer = offer(message, Room.ANY);
    if (offer != Offer.FULL) {
      return null;
    }
    if (overflow == Overflow.FAIL || sender.sendTimeout().isZero()) {
      return CompletableFuture.failedStage(full(""));
    }
    Parked<LiveDelivery> send;
    lock.lock();
    try {
      if (isCancelled()) {
        return null;
      }
      send = parked.add(message, sender);
      backlog = true;
    } finally {
      lock.unlock();
    }
    alarm.at(send.deadline);
    credited(); // there may be room by now
    return send.done;
  }

  private QueueFullException full(String when) {
    return new QueueFullException(
        "a subscriber of " + address + " is full: " + buffered
            + " messages of buffer " + capacity + " wait for it, no room" + when
            + "; other subscribers have the message (overflow: " + overflow + ")",
        true);
  }

  private void failLate() {
    List<Parked<LiveDelivery>> late;
    QueueFullException error;
    long next;
    lock.lock();
    try {
      late = parked.removeLate();
      error = full(" within sendTimeout");
      next = parked.earliestDeadline();
    } finally {
      lock.unlock();
    }
    late.forEach(send -> send.end(error));
    if (next != Times.NEVER) {
      alarm.at(next);
    }
  }

  /** Takes a message if there is that room. Under no lock. */
  Offer offer(LiveDelivery message, Room room) {
    boolean myTurn = false;
    boolean wakes = false;
    int dropped = 0;
    lock.lock();
    try {
      if (isCancelled()) {
        return Offer.GONE;
      }
      boolean awaited = buffered == 0 && parked.isEmpty() && hasCredit();
      if (awaited && !watchers.arePresent()) {
        handedOut++;
        assign(message);
      } else if (!awaited && room == Room.CREDIT) {
        return Offer.FULL;
      } else if (buffered < capacity && parked.isEmpty()) {
        append(message);
      } else if (room == Room.BUFFER) {
        return Offer.FULL;
      } else if (overflow == Overflow.DROP_OLDEST) {
        dropped = 1;
        if (poll() != null) {
          append(message);
        }
      } else if (overflow == Overflow.DROP_NEWEST) {
        dropped = 1;
      } else {
        return Offer.FULL;
      }
    } finally {
      myTurn = announce();
      wakes = mark();
      lock.unlock();
    }
    if (wakes) {
      full.wake();
    }
    if (myTurn) {
      runTurn();
    }
    if (dropped > 0 && (overflow == Overflow.DROP_OLDEST || owner.countsNewest())) {
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
        && capacity > 0
        && full.update(
            buffered >= capacity || !parked.isEmpty(),
            buffered <= capacity - capacity / 4 - 1 && parked.isEmpty(),
            handedOut,
            capacity);
  }

  /** Appends to the buffer. Under the lock. */
  private void append(LiveDelivery message) {
    link(message);
    if (!backlog) {
      backlog = true;
      if (!watchers.arePresent() && hasCredit()) { // it came in between
        assign(taken(poll()));
      }
    }
  }

  private void link(LiveDelivery message) {
    if (last == null) {
      first = message;
    } else {
      last.next = message;
    }
    last = message;
    buffered++;
  }

  private LiveDelivery taken(@Nullable LiveDelivery message) {
    if (message == null) {
      throw new IllegalStateException("nothing is buffered");
    }
    handedOut++;
    return message;
  }

  private @Nullable LiveDelivery poll() {
    LiveDelivery message = first;
    if (message != null) {
      first = (LiveDelivery) message.next;
      message.next = null;
      last = first == null ? null : last;
      buffered--;
    }
    return message;
  }

  @Override
  void credited() {
    handOutBacklog(0);
  }

  @Override
  public void poll(int deliveries) {
    if (backlog || watchers.lookOut(() -> backlog)) {
      handOutBacklog(deliveries);
    }
  }

  /** Assigns what waits, as far as there is credit, but that many at least. */
  private void handOutBacklog(int least) {
    if (!backlog) {
      return;
    }
    int left = least;
    long expired = 0;
    List<Parked<LiveDelivery>> accepted = new ArrayList<>(0);
    lock.lock();
    try {
      admit(accepted);
      hasCredit(); // else credit that was just asked for would be left
      while (first != null && (hasCredit() || (left > 0 && !isCancelled()))) {
        left--;
        boolean late = Times.isPast(first.expires, clock);
        LiveDelivery message = taken(poll());
        if (late) {
          handedOut--;
          expired++;
        } else {
          assign(message);
        }
        admit(accepted);
      }
      backlog = buffered > 0 || !parked.isEmpty();
    } finally { // what was done has its end, also if the rest failed
      boolean myTurn = announce();
      boolean wakes = mark();
      lock.unlock();
      if (wakes) {
        full.wake();
      }
      if (myTurn) {
        runTurn();
      }
      accepted.forEach(send -> send.end(null));
      if (expired > 0) {
        reportDropped(expired);
      }
    }
  }

  private void admit(List<Parked<LiveDelivery>> accepted) {
    while (!parked.isEmpty() && buffered < Math.max(capacity, 1) && !isCancelled()) {
      Parked<LiveDelivery> send = parked.remove();
      link(send.parcel);
      accepted.add(send);
    }
  }

  @Override
  void withdrawn() {
    owner.removed(this);
    List<LiveDelivery> rest = new ArrayList<>();
    List<Parked<LiveDelivery>> sends;
    lock.lock();
    try {
      for (LiveDelivery message = poll(); message != null; message = poll()) {
        rest.add(message);
      }
      sends = parked.removeAll();
    } finally {
      lock.unlock();
    }
    alarm.cancel();
    sends.forEach(send -> send.end(null)); // nobody is there any more who could get it
    rest.forEach(owner::returned);
  }

  /** Fails the sends of a link that wait for room here. */
  void withdraw(EmbeddedLink sender, Exception cause) {
    List<Parked<LiveDelivery>> sends;
    lock.lock();
    try {
      sends = parked.removeOf(sender);
    } finally {
      lock.unlock();
    }
    sends.forEach(send -> send.end(cause));
  }

  void settled(LiveDelivery message, Outcome outcome) {
    settled.getAndIncrement();
    if (outcome instanceof Outcome.GiveBack back && !back.counted()) {
      owner.returned(message);
    }
  }

  @Override
  void giveBack() {} // at most once

  /** Returns whether something waits here or is being handled. */
  boolean isBusy() {
    lock.lock();
    try {
      return buffered > 0 || !parked.isEmpty() || handedOut != settled.get();
    } finally {
      lock.unlock();
    }
  }

  /** Returns how many messages wait for credit. */
  int buffered() {
    lock.lock();
    try {
      return buffered;
    } finally {
      lock.unlock();
    }
  }

  /** Marks all that wait as seen, so the next look knows how long they have waited at least. */
  @Override
  public Buffer buffer() {
    lock.lock();
    try {
      if (buffered == 0) {
        return Buffer.EMPTY;
      }
      long now = clock.nanoTime();
      LiveDelivery oldest = first;
      LiveDelivery each = first;
      for (int i = 0; i < MOST_MARKED && each != null; i++) {
        each.seen = each.seen == Times.NEVER ? now : each.seen;
        each = (LiveDelivery) each.next;
      }
      return new Buffer(
          buffered, oldest == null ? Duration.ZERO : Duration.ofNanos(now - oldest.seen));
    } finally {
      lock.unlock();
    }
  }

  /** Returns how many messages were handed out. */
  long accepted() {
    lock.lock();
    try {
      return handedOut;
    } finally {
      lock.unlock();
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

  /** The topics or the signal to which a source belongs. */
  interface Owner {
    /** Forgets a source. */
    void removed(LiveSource source);

    /** Takes a message that no handler began. */
    void returned(LiveDelivery message);

    /** Returns whether the source counts a new message that it drops, rather than the sender. */
    boolean countsNewest();
  }
}
