package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameDecoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.TooLargePolicy;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What has come on a connection and is not handled yet, for whoever pulls frames from it. The event
 * loop puts bytes in; frames are made of them by the one who takes them, so that the format can be
 * changed between any two, and an error comes behind the frames before it.
 *
 * <p>The bytes are on the heap: a connection that is forgotten leaks nothing.
 */
final class Inbox {
  /** How long a buffer is that is shared by short reads, once so many bytes wait. */
  private static final int MAX_SHARED = 4 * 1024;

  private final LinkContext link;
  private final Reading reading;
  private final Ending ending;
  private final ConnectionSettings settings;
  private final ConnectionCounters counters;

  private final AtomicReference<@Nullable String> reader = new AtomicReference<>();
  private volatile @Nullable Runnable onArrival;
  private volatile boolean abandoned;

  final ReentrantLock lock = new ReentrantLock();
  private final Condition arrived = lock.newCondition();
  private final Deque<ByteBuf> queue = new ArrayDeque<>(0);
  private long queued;
  private boolean ended;
  private boolean stops;
  private @Nullable IOException cause;

  /** Counts what a receiver that waits should look at: bytes, the end, and frames left by another. */
  private final AtomicInteger changes = new AtomicInteger();

  /** How many receivers wait; changed under the lock. */
  private volatile int receivers;

  /** Held by whoever takes frames, never while waiting, nor while anything else is called. */
  final ReentrantLock taking = new ReentrantLock();

  private final FrameDecoder decoder;
  private long decoderHeld;

  // What is to be said when frames have been taken.
  private long heldChange;
  private boolean emptied;
  private boolean inputStopped;
  private boolean leavesMore;
  private @Nullable FramingException broken;
  private boolean brokenSaid;

  /** Whether bytes were taken without a look at the frames that they are of. */
  private volatile boolean bytesTaken;

  private boolean endSeen;

  /** Whether the decoder has all that had come when the server stopped; then only the rest of a frame. */
  private boolean stopSeen;

  private boolean inLastFrame;
  private boolean stopped;
  private volatile boolean atEnd;
  private volatile long insideSince;

  Inbox(LinkContext link, Reading reading, Ending ending) {
    this.link = link;
    this.reading = reading;
    this.ending = ending;
    settings = link.settings;
    counters = link.counters;
    decoder = FrameDecoder.of(settings.format(), settings.totals().frames(), link.peer());
  }

  /** Makes sure that frames are received in one way only. */
  void claim(String way) {
    if (reader.get() == null) {
      reader.compareAndSet(null, way);
    }
    String present = reader.get();
    if (!way.equals(present)) {
      throw taken(present, way);
    }
  }

  /** Like {@link #claim}, for a way that there can be only once. */
  void claimOnce(String way) {
    if (!reader.compareAndSet(null, way)) {
      throw taken(reader.get(), way);
    }
  }

  static IllegalStateException taken(@Nullable String by, String way) {
    return new IllegalStateException(
        "frames are received by " + by + " already (not by " + way + ")");
  }

  /** Sets what the event loop does when something has come, or the end. Any thread may call it. */
  void onArrival(Runnable action) {
    onArrival = action;
    link.runOnLoop(action);
  }

  /** On the event loop: says that something has come, or the end. */
  void arrived() {
    Runnable action = onArrival;
    if (action != null) {
      link.guarded(action);
    }
  }

  /** Says that nobody takes frames any more, with the connection about to be closed. Any thread. */
  void abandon() {
    if (!abandoned) {
      abandoned = true;
      link.totals.bytesNotHandled.add(bytesLeft());
    }
  }

  boolean isAbandoned() {
    return abandoned;
  }

  /** On the event loop: takes what was read, and releases it. Returns how many bytes wait. */
  long put(ByteBuf bytes) {
    int length = bytes.readableBytes();
    int made = 0;
    lock.lock();
    try {
      // Short reads share a buffer: with one for each byte, they would hold a hundred times as
      // much.
      ByteBuf last = queue.peekLast();
      if (last == null || last.writableBytes() < length) {
        int capacity = (int) Math.max(length, Math.min(queued, MAX_SHARED));
        last = Unpooled.wrappedBuffer(new byte[capacity]).clear();
        queue.add(last);
        made = capacity;
      }
      last.writeBytes(bytes);
      queued += length;
      changes.incrementAndGet();
      arrived.signalAll();
      return queued;
    } finally {
      lock.unlock();
      bytes.release();
      // It may have others read on, and so is told without the lock; whoever has taken the bytes
      // meanwhile may have said so first.
      reading.hold(made);
    }
  }

  /** Whether everything has been taken to be made into frames. */
  boolean isEmpty() {
    lock.lock();
    try {
      return queue.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  /** Says that no more comes: the peer has ended its side, or there was an error. */
  void end(@Nullable IOException why) {
    lock.lock();
    try {
      if (!ended) {
        ended = true;
        cause = why;
      }
      changes.incrementAndGet();
      arrived.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Says that what has come is still wanted, with the rest of a frame that has begun, but no more. */
  void endAfterFrame() {
    lock.lock();
    try {
      stops = true;
      changes.incrementAndGet();
      arrived.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Takes the next frame, or returns {@code null} if there is none yet or none any more. */
  byte @Nullable [] poll() throws IOException {
    return poll(settings.tooLargePolicy() == TooLargePolicy.SKIP);
  }

  /** Like {@link #poll}, but it throws for each frame that is skipped. */
  byte @Nullable [] pollReportingSkipped() throws IOException {
    return poll(false);
  }

  private byte @Nullable [] poll(boolean skips) throws IOException {
    taking.lock();
    try {
      return next(skips);
    } finally {
      endTaking();
    }
  }

  /** Others are told of what was found only when this is not locked any more, and so in any order. */
  private void endTaking() {
    long change = heldChange;
    boolean tellEmptied = emptied;
    boolean tellStopped = inputStopped;
    FramingException tellBroken = brokenSaid ? null : broken;
    boolean tellReceivers = leavesMore;
    heldChange = 0;
    emptied = false;
    inputStopped = false;
    leavesMore = false;
    brokenSaid = broken != null;
    taking.unlock();
    if (tellReceivers) {
      tellReceivers();
    }
    reading.hold(change);
    if (tellStopped) {
      link.runOnLoop(ending::endInput);
    }
    if (tellEmptied) {
      reading.handlerCaughtUp();
    }
    if (tellBroken != null) {
      ending.broken(tellBroken);
    }
  }

  /** Hands on what is left, the end too, to a receiver that waits, or is about to. */
  private void tellReceivers() {
    changes.incrementAndGet();
    if (receivers > 0) {
      lock.lock();
      try {
        arrived.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * Takes the next frame and waits for it. Several receivers may wait; each frame goes to one of them.
   *
   * @return {@code null} at the end, or after so many nanoseconds
   */
  byte @Nullable [] take(long nanos) throws IOException, InterruptedException {
    long left = nanos;
    while (true) {
      int seen = changes.get();
      byte[] frame = poll();
      if (frame == null && atEnd) {
        // Another receiver may have found the end meanwhile, and its error is for each.
        return poll();
      }
      if (frame != null || left <= 0) {
        return frame;
      }
      left = awaitChange(seen, left);
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // It is changed under the lock only.
  private long awaitChange(int seen, long nanos) throws InterruptedException {
    long left = nanos;
    lock.lockInterruptibly();
    receivers++;
    try {
      while (changes.get() == seen && left > 0) {
        left = arrived.awaitNanos(left);
      }
      return left;
    } finally {
      receivers--;
      lock.unlock();
    }
  }

  /** Whether nothing more will come, not even an error; without taking a frame. */
  boolean endsHere() throws IOException {
    taking.lock();
    try {
      if (!atEnd && !decoder.isInsideFrame() && decoder.bufferedBytes() == 0) {
        refill();
        if (endSeen && decoder.bufferedBytes() == 0) {
          next(settings.tooLargePolicy() == TooLargePolicy.SKIP);
        }
      }
      return atEnd;
    } finally {
      endTaking();
    }
  }

  boolean isAtEnd() {
    return atEnd;
  }

  private byte @Nullable [] next(boolean skips) throws IOException {
    if (broken != null) {
      throw broken;
    }
    while (true) {
      try {
        byte[] frame = nextWanted();
        note(frame);
        if (frame == null && endSeen) {
          end();
          if (cause != null) {
            throw new IOException(cause.getMessage(), cause);
          }
        }
        return frame;
      } catch (FrameTooLargeException e) {
        leavesMore = true;
        if (skips) {
          continue;
        }
        if (settings.tooLargePolicy() == TooLargePolicy.CLOSE) {
          fail(e);
        }
        throw e;
      } catch (FramingException e) {
        fail(e);
        throw e;
      }
    }
  }

  private byte @Nullable [] nextWanted() throws FramingException {
    byte[] frame = nextCounted();
    while (frame == null && refill()) {
      frame = nextCounted();
    }
    if (frame != null && inLastFrame) {
      stop();
    }
    return frame;
  }

  private byte @Nullable [] nextCounted() throws FramingException {
    int before = decoder.bufferedBytes();
    byte[] frame = decoder.next();
    if (frame != null) {
      int left = decoder.bufferedBytes();
      counters.received(1, before - left);
      leavesMore = left > 0 || endSeen;
    }
    return frame;
  }

  /** What is behind the last frame, and what still comes, is dropped. */
  private void stop() {
    stopped = true;
    endSeen = true;
    ByteBuf rest = decoder.takeBuffered();
    link.totals.bytesNotHandled.add(rest.readableBytes());
    rest.release();
    settle();
    inputStopped = true;
    leavesMore = true;
  }

  private void end() {
    leavesMore |= !atEnd;
    atEnd = true;
  }

  private void fail(FramingException e) {
    end();
    insideSince = 0;
    broken = e;
  }

  /** Moves what has come to the decoder; returns whether that changed anything. */
  private boolean refill() {
    if (stopped) {
      return false;
    }
    if (stopSeen && !decoder.isInsideFrame()) {
      stop();
      return true;
    }
    inLastFrame = stopSeen;
    boolean moved;
    lock.lock();
    try {
      moved = !queue.isEmpty() || stops != stopSeen;
      stopSeen = stops;
      for (ByteBuf bytes = queue.poll(); bytes != null; bytes = queue.poll()) {
        decoderHeld += bytes.capacity();
        decoder.add(bytes);
      }
      queued = 0;
      if (ended && !endSeen) {
        endSeen = true;
        moved = true;
        if (cause == null) {
          decoder.end();
        }
      }
    } finally {
      lock.unlock();
    }
    if (stopSeen && !decoder.isInsideFrame()) {
      stop();
    }
    if (moved) {
      settle();
      emptied = true;
    }
    return moved;
  }

  /** Gives back the memory of the frames that were taken. */
  private void settle() {
    long held = decoder.bufferedMemory();
    heldChange += held - decoderHeld;
    decoderHeld = held;
  }

  private void note(byte @Nullable [] frame) {
    if (frame != null) {
      insideSince = 0;
    } else {
      settle();
      if (!decoder.isInsideFrame()) {
        insideSince = 0;
      } else if (insideSince == 0) {
        insideSince = Math.max(1, System.nanoTime());
      }
    }
  }

  /** Since when somebody waits for the rest of a frame, or 0; any thread may ask. */
  long insideSince() {
    return insideSince;
  }

  /** Whether bytes wait that nobody has looked at: they may be whole frames. Any thread may ask. */
  boolean waitsForHandler() {
    if (!taking.tryLock()) {
      return true; // They are being looked at.
    }
    try {
      return !isEmpty() || (insideSince == 0 && decoder.bufferedBytes() > 0);
    } finally {
      taking.unlock();
    }
  }

  void format(FrameFormat format) {
    taking.lock();
    try {
      decoder.format(format);
    } finally {
      taking.unlock();
    }
  }

  FrameFormat format() {
    return decoder.format();
  }

  /** Takes all the bytes that are in no frame that was taken. */
  byte[] takeBytes() {
    taking.lock();
    try {
      refill();
      ByteBuf rest = decoder.takeBuffered();
      bytesTaken |= rest.isReadable();
      byte[] bytes = new byte[rest.readableBytes()];
      rest.readBytes(bytes).release();
      settle();
      return bytes;
    } finally {
      endTaking();
    }
  }

  boolean wereBytesTaken() {
    return bytesTaken;
  }

  /** How many bytes are in no frame that was taken; without waiting for one that is being decoded. */
  long bytesLeft() {
    boolean still = taking.tryLock();
    lock.lock();
    try {
      return queued + (still ? decoder.bufferedBytes() : decoderHeld);
    } finally {
      lock.unlock();
      if (still) {
        taking.unlock();
      }
    }
  }

  static long forever() {
    return TimeUnit.DAYS.toNanos(365 * 100);
  }
}
