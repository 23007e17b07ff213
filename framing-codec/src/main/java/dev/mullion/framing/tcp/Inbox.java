package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameDecoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.TooLargePolicy;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Received input that is not handled yet, for a receiver that pulls frames. The event loop adds
 * bytes. The receiver decodes them, so the format can change between any two frames, and an error
 * follows the frames before it.
 */
final class Inbox {
  // Notifications due after frames have been taken.
  private static final int EMPTIED = 1;
  private static final int INPUT_STOPPED = 2;
  private static final int LEAVES_MORE = 4;
  private static final int BROKEN = 8;

  private final LinkContext link;
  private final Reading reading;
  private final Ending ending;
  private final ConnectionSettings settings;
  private final ConnectionCounters counters;

  private final Claim claim = new Claim();
  final Arrivals arrivals;
  private volatile boolean abandoned;

  /** Held by the receiver, never while it waits or calls other code. */
  final ReentrantLock taking = new ReentrantLock();

  private final FrameDecoder decoder;
  private long decoderHeld;

  private long heldChange;
  private int found;
  private @Nullable FramingException broken;

  /** Whether bytes were taken without decoding them into frames. */
  private volatile boolean bytesTaken;

  private volatile InboxEnd end = InboxEnd.OPEN;
  private InboxStop stop = InboxStop.NONE;

  /** When a receiver began to wait for the rest of a frame, or 0. */
  private volatile long insideSince;

  Inbox(LinkContext link, Reading reading, Ending ending) {
    this.link = link;
    this.reading = reading;
    this.ending = ending;
    settings = link.settings;
    counters = link.counters;
    arrivals = new Arrivals(link, reading);
    decoder = FrameDecoder.of(settings.format(), settings.totals().frames(), link.peer());
  }

  /** Returns the claim that allows one way of receiving. */
  Claim claim() {
    return claim;
  }

  /** Stops receiving; the connection is about to be closed. Any thread may call it. */
  void abandon() {
    if (!abandoned) {
      abandoned = true;
      link.totals().bytesNotHandled.add(bytesLeft());
    }
  }

  boolean isAbandoned() {
    return abandoned;
  }

  /** Takes the next frame, or returns {@code null} if none is complete or none is left. */
  byte @Nullable [] poll() throws IOException {
    return poll(settings.tooLargePolicy() == TooLargePolicy.SKIP);
  }

  /** Like {@link #poll}, but throws for each skipped frame. */
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

  /** Notifies others of what was found only after unlocking, and so in no fixed order. */
  private void endTaking() {
    long change = heldChange;
    int tell = found;
    FramingException error = broken;
    heldChange = 0;
    found = 0;
    taking.unlock();
    if ((tell & LEAVES_MORE) != 0) {
      arrivals.tellReceivers();
    }
    reading.hold(change);
    if ((tell & INPUT_STOPPED) != 0) {
      link.runOnLoop(ending::endInput);
    }
    if ((tell & EMPTIED) != 0) {
      reading.handlerCaughtUp();
    }
    if ((tell & BROKEN) != 0 && error != null) {
      ending.broken(error);
    }
  }

  /**
   * Takes the next frame and waits for it. Several receivers may wait; each frame goes to one of
   * them.
   *
   * @return {@code null} at the end, or after that many nanoseconds
   */
  byte @Nullable [] take(long nanos) throws IOException, InterruptedException {
    long left = nanos;
    while (true) {
      int seen = arrivals.changes();
      byte[] frame = poll();
      if (frame == null && isAtEnd()) {
        // Another receiver may have found the end meanwhile; its error is for each receiver.
        return poll();
      }
      if (frame != null || left <= 0) {
        return frame;
      }
      left = arrivals.awaitChange(seen, left);
    }
  }

  /** Whether no frame and no error is left; takes no frame. */
  boolean endsHere() throws IOException {
    taking.lock();
    try {
      if (!isAtEnd() && !decoder.isInsideFrame() && decoder.bufferedBytes() == 0) {
        refill();
        if (isEndSeen() && decoder.bufferedBytes() == 0) {
          next(settings.tooLargePolicy() == TooLargePolicy.SKIP);
        }
      }
      return isAtEnd();
    } finally {
      endTaking();
    }
  }

  boolean isAtEnd() {
    return end == InboxEnd.REACHED;
  }

  private boolean isEndSeen() {
    return end != InboxEnd.OPEN;
  }

  private byte @Nullable [] next(boolean skips) throws IOException {
    if (broken != null) {
      throw broken;
    }
    while (true) {
      try {
        byte[] frame = nextWanted();
        note(frame);
        if (frame == null && isEndSeen()) {
          reachEnd();
          IOException cause = arrivals.cause();
          if (cause != null) {
            throw new IOException(cause.getMessage(), cause);
          }
        }
        return frame;
      } catch (FrameTooLargeException e) {
        found |= LEAVES_MORE;
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
    if (frame != null && stop == InboxStop.LAST_FRAME) {
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
      found = left > 0 || isEndSeen() ? found | LEAVES_MORE : found & ~LEAVES_MORE;
    }
    return frame;
  }

  /** Drops input after the last frame, and later input. */
  private void stop() {
    stop = InboxStop.DONE;
    seeEnd();
    ByteBuf rest = decoder.takeBuffered();
    link.totals().bytesNotHandled.add(rest.readableBytes());
    rest.release();
    settle();
    found |= INPUT_STOPPED | LEAVES_MORE;
  }

  private void seeEnd() {
    if (end == InboxEnd.OPEN) {
      end = InboxEnd.SEEN;
    }
  }

  private void reachEnd() {
    if (end != InboxEnd.REACHED) {
      end = InboxEnd.REACHED;
      found |= LEAVES_MORE;
    }
  }

  private void fail(FramingException e) {
    reachEnd();
    insideSince = 0;
    broken = e;
    found |= BROKEN;
  }

  /** Moves the arrived bytes to the decoder; returns whether that changed anything. */
  private boolean refill() {
    if (stop == InboxStop.DONE) {
      return false;
    }
    if (stop != InboxStop.NONE && !decoder.isInsideFrame()) {
      stop();
      return true;
    }
    Arrivals.Moved moved = moveArrivals();
    boolean changed = moved.some();
    if (stop != InboxStop.NONE) {
      stop = InboxStop.LAST_FRAME;
    } else if (moved.stops()) {
      stop = InboxStop.SEEN;
      changed = true;
    }
    Arrivals.End behind = moved.end();
    if (behind != null && end == InboxEnd.OPEN) {
      seeEnd();
      changed = true;
      if (behind.cause() == null) {
        decoder.end();
      }
    }
    if (stop != InboxStop.NONE && !decoder.isInsideFrame()) {
      stop();
    }
    if (changed) {
      settle();
      found |= EMPTIED;
    }
    return changed;
  }

  /** Under the lock, so that moved bytes are counted on one side only. */
  private Arrivals.Moved moveArrivals() {
    arrivals.lock.lock();
    try {
      Arrivals.Moved moved = arrivals.moveTo(decoder);
      decoderHeld += moved.memory();
      return moved;
    } finally {
      arrivals.lock.unlock();
    }
  }

  /** Returns the memory of the taken frames to the budget. */
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

  /** When a receiver began to wait for the rest of a frame, or 0; any thread may call it. */
  long insideSince() {
    return insideSince;
  }

  /** Whether unexamined bytes wait: they may be whole frames. Any thread may call it. */
  boolean waitsForHandler() {
    if (!taking.tryLock()) {
      return true; // They are being decoded.
    }
    try {
      return !arrivals.isEmpty() || (insideSince == 0 && decoder.bufferedBytes() > 0);
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

  /** Takes all bytes that belong to no taken frame. */
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

  /** Returns how many bytes belong to no taken frame; does not wait for a frame being decoded. */
  long bytesLeft() {
    boolean still = taking.tryLock();
    arrivals.lock.lock();
    try {
      return arrivals.bytes() + (still ? decoder.bufferedBytes() : decoderHeld);
    } finally {
      arrivals.lock.unlock();
      if (still) {
        taking.unlock();
      }
    }
  }
}
