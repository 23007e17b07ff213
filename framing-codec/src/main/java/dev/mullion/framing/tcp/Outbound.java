package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FramingException;
import dev.mullion.framing.tcp.Place.Request;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The frames that any thread sends on a connection, up to a bound; {@link Sending} adds them. The
 * sending thread encodes each frame into a chunk. The event loop writes the chunk: one task and one
 * flush for all frames added since the last one.
 *
 * <pre>{@code
 *                                       +------------ held() ------------+
 *  send, trySend ---------------------> | chunk ---> Netty's queue       | ---> socket
 *  sendAsync ---> waiting, while full -> |                                |
 *                                       +--------------------------------+
 * }</pre>
 */
final class Outbound {
  private static final AtomicLongFieldUpdater<Outbound> ACCEPTED =
      AtomicLongFieldUpdater.newUpdater(Outbound.class, "accepted");

  private final Channel channel;
  private final LinkContext link;
  private final Reading reading;
  private final ConnectionSettings settings;
  private final ConnectionCounters counters;
  final ReentrantLock lock = new ReentrantLock();
  final Condition room = lock.newCondition();

  final SendBuffer buffer;
  final SendLock sendLock;
  private volatile long accepted;
  private List<PendingSend> sends = List.of();
  final WaitingSends waiting = new WaitingSends();
  final DueReplies replies = new DueReplies();
  final Losses losses;
  private boolean backedUp;
  private boolean scheduled;
  private boolean markSent;
  private @Nullable IOException closed;

  Outbound(LinkContext link, Reading reading) {
    this.link = link;
    this.reading = reading;
    this.channel = link.context().channel();
    this.settings = link.settings;
    this.buffer = new SendBuffer(channel.alloc(), settings, channel.remoteAddress());
    this.sendLock = new SendLock(this);
    this.counters = link.counters;
    this.losses = new Losses(settings.totals(), this);
  }

  /**
   * Whether a frame may be accepted now. If not, the event loop checks again when there is room.
   */
  boolean admits(int length) throws FrameNotSentException {
    checkOpen(closed);
    if (!backedUp) {
      long held = held();
      if (held == 0) {
        return true;
      }
      if (held + length <= settings.outboundHigh() && !settings.budget().isExceeded()) {
        return true;
      }
      backedUp = true;
      settings.totals().sendsDelayed.increment();
      schedule();
    }
    return false;
  }

  void checkOpen(@Nullable IOException end) throws FrameNotSentException {
    if (end != null) {
      throw new FrameNotSentException(
          "connection is closed (peer " + channel.remoteAddress() + ")", end);
    }
  }

  /** Returns the bytes that were accepted and are not in the kernel yet. */
  long held() {
    return accepted + link.bytesInNetty();
  }

  /**
   * On the event loop: reports the memory of all unsent frames, including those waiting for room.
   */
  void noteHeld() {
    // The queues are gone with their channel.
    if (channel.isActive()) {
      reading.noteOutput(accepted + waiting.memory() + link.output.memory(), unsent());
    }
  }

  /**
   * Returns the bytes that were accepted and are not in the kernel yet, without the queue's own
   * overhead.
   */
  long unsent() {
    return accepted + link.output.pending();
  }

  /** Returns the bytes that were accepted and are not passed to Netty yet. */
  long notHandedOn() {
    return accepted;
  }

  /** Encodes a frame that its caller keeps. Adds both its place and its bytes, or neither. */
  void append(Object frame, @Nullable Place place) throws FramingException {
    taken(buffer.add(frame), place);
  }

  /** Completes a send when all that was accepted before is in the kernel. */
  void completeWhenSent(PendingSend send) {
    if (sends.isEmpty()) {
      sends = new ArrayList<>();
    }
    sends.add(send);
  }

  /** Takes over an encoded frame. */
  void take(ByteBuf encoded, @Nullable Place place) {
    taken(buffer.addEncoded(encoded), place);
  }

  private void taken(int bytes, @Nullable Place place) {
    replies.add(place);
    ACCEPTED.addAndGet(this, bytes);
    counters.sent(1, bytes);
  }

  /**
   * Unlocks after frames may have been added, and only then wakes the event loop: it takes the lock
   * too, and would wait for it.
   */
  void unlock() {
    boolean schedules = !scheduled && !buffer.isEmpty();
    scheduled |= schedules;
    lock.unlock();
    if (schedules) {
      channel.eventLoop().execute(this::drain);
    }
  }

  private void schedule() {
    if (!scheduled) {
      scheduled = true;
      channel.eventLoop().execute(this::drain);
    }
  }

  /** On the event loop: passes everything to Netty and flushes. */
  void drain() {
    if (handOn()) {
      link.flush();
      noteHeld();
    }
  }

  /**
   * Whether a reply must be queued after frames sent earlier. For the event loop; without a lock.
   */
  boolean isAheadOfReplies() {
    return accepted != 0 || waiting.ofLoop() != 0;
  }

  /** On the event loop: adds a copy of a reply after the sent frames. It does not wait for room. */
  void reply(ByteBuf frame) throws FramingException {
    List<PendingSend> failed;
    Object ready = sendLock.lockFor(frame, true);
    try {
      failed = takeOwn();
      taken(buffer.addCopy(ready), null);
    } finally {
      sendLock.unlock(ready, frame);
    }
    failed.forEach(PendingSend::fail);
  }

  /** On the event loop: passes on the accepted frames, so that later writes follow them. */
  void goFirst() {
    List<PendingSend> failed;
    lock.lock();
    try {
      failed = takeOwn();
      buffer.compact();
    } finally {
      unlock();
    }
    failed.forEach(PendingSend::fail);
    handOn();
  }

  /** The loop's own waiting frames are as few as its replies, which do not wait for room. */
  private List<PendingSend> takeOwn() {
    return takeAll(waiting.ofLoop() == 0 ? List.of() : waiting.removeAll(send -> send.ofLoop));
  }

  /**
   * Passes everything to Netty, after the event loop's replies; returns whether there was anything.
   */
  private boolean handOn() {
    List<ByteBuf> ready;
    List<PendingSend> sent;
    boolean mark;
    lock.lock();
    try {
      scheduled = false;
      ready = buffer.take();
      sent = sends;
      mark = backedUp && !markSent;
      markSent |= mark;
      if (ready.isEmpty() && !mark) {
        return false;
      }
      sends = List.of();
    } finally {
      lock.unlock();
    }
    link.emitReplies();
    write(ready, sent, mark);
    return true;
  }

  private void write(List<ByteBuf> ready, List<PendingSend> sent, boolean mark) {
    Iterator<ByteBuf> rest = ready.iterator();
    try {
      while (rest.hasNext()) {
        ByteBuf buffer = rest.next();
        // First: a sender that saw the bytes twice would find the queue full and wait needlessly.
        ACCEPTED.addAndGet(this, -buffer.readableBytes());
        link.write(buffer);
      }
    } catch (RuntimeException | Error e) {
      // The stream has a hole: what was sent fails with its connection.
      rest.forEachRemaining(ByteBuf::release);
      link.abort(e);
    }
    if (mark || !sent.isEmpty()) {
      // Empty, but last in the queue: when it is written, all frames before it are.
      link.mark().addListener((ChannelFutureListener) done -> written(done, sent, mark));
    }
  }

  private void written(ChannelFuture done, List<PendingSend> sent, boolean mark) {
    for (PendingSend send : sent) {
      if (done.isSuccess()) {
        send.complete(null);
      } else {
        send.lost(channel.remoteAddress(), done.cause());
      }
    }
    if (mark) {
      // Netty counts bytes as pending until the write's listeners were notified.
      channel.eventLoop().execute(this::markWritten);
    } else {
      roomMayBeThere();
    }
  }

  private void markWritten() {
    roomMayBeThere();
    lock.lock();
    try {
      markSent = false;
      if (backedUp && closed == null) {
        // Other bytes have been written meanwhile.
        schedule();
      }
    } finally {
      lock.unlock();
    }
  }

  /** On the event loop: checks whether waiting senders can continue. */
  void roomMayBeThere() {
    List<PendingSend> failed = new ArrayList<>(0);
    lock.lock();
    try {
      // A queue that is gone with its channel has no room: the end notifies the waiting senders.
      if (!backedUp || unsent() > settings.outboundLow() || !channel.isActive()) {
        return;
      }
      backedUp = false;
      PendingSend first = waiting.first();
      while (first != null && admits(first.length)) {
        waiting.remove(first);
        failed.addAll(takeAll(List.of(first)));
        first = waiting.first();
      }
      room.signalAll();
    } catch (FrameNotSentException e) {
      // The connection was just closed, which notified everyone.
      room.signalAll();
    } finally {
      unlock();
    }
    failed.forEach(PendingSend::fail);
  }

  /** Accepts frames that have waited. Returns those for which there was no memory. */
  private List<PendingSend> takeAll(List<PendingSend> waited) {
    List<PendingSend> failed = new ArrayList<>(0);
    for (PendingSend send : waited) {
      try {
        take(send.handOver(), send.place);
        if (!(send.place instanceof Request)) {
          completeWhenSent(send);
        }
      } catch (RuntimeException | Error e) {
        send.failure = e;
        failed.add(send);
      }
    }
    return failed;
  }

  /** Accepts no more frames; accepted ones are still written. */
  void end(IOException why) {
    List<PendingSend> refused;
    lock.lock();
    try {
      if (closed == null) {
        closed = why;
      }
      refused = waiting.removeAll(send -> true);
      room.signalAll();
    } finally {
      lock.unlock();
    }
    IOException cause = requireNonNull(closed, "closed");
    refused.forEach(send -> send.refuse(channel.remoteAddress(), cause));
  }

  /** The channel is closed: unwritten frames fail. */
  void fail(IOException why) {
    end(why);
    List<ByteBuf> unsent;
    List<PendingSend> lost;
    lock.lock();
    try {
      unsent = buffer.take();
      accepted = 0;
      lost = sends;
      sends = List.of();
    } finally {
      lock.unlock();
    }
    unsent.forEach(ByteBuf::release);
    for (PendingSend send : lost) {
      send.closed(channel.remoteAddress(), why);
    }
  }
}
