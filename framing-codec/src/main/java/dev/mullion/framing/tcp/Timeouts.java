package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;

import java.net.SocketTimeoutException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * A connection's clocks; the event loop advances them at each check. At each check either this side
 * or the peer has to act next, and only the clock for that side advances. {@link ConnectionBuilder}
 * defines what each clock measures.
 *
 * <pre>{@code
 *  side that has to act next                             clock         reset by
 *  -------------------------------------------------------------------------------------------
 *  this: bytes wait for a handler, or memory is short    stallTimeout  a frame taken, a byte sent
 *  the peer: every other case                            idleTimeout   a byte, either way
 *  the peer: incomplete frame, while this side reads     frameTimeout  the end of the frame
 * }</pre>
 *
 * <p>A clock never advances by more than two intervals between two checks, however long the loop
 * was delayed: input that arrived meanwhile is read before the next check.
 */
final class Timeouts {
  /** How long the peer has had to complete a frame, and has not. */
  private static final class FrameClock {
    private final long since;
    private long waited;

    FrameClock(long since) {
      this.since = since;
    }
  }

  private final LinkContext link;
  private final Reading reading;
  private boolean readInInterval;
  private boolean begun;
  private long sentBefore;
  private long takenBefore;

  /** Whether this side had to act next at the last check. */
  private boolean ours;

  /** How long the side that has to act next has had to, and has not acted. */
  private long waited;

  /** Present while a frame is incomplete. */
  private @Nullable FrameClock frame;

  private @Nullable ScheduledFuture<?> progressTimer;

  Timeouts(LinkContext link, Reading reading) {
    this.reading = reading;
    this.link = link;
  }

  /** Notes that input arrived. */
  void active() {
    readInInterval = true;
  }

  /**
   * Advances the clocks. The first check begins them.
   *
   * @param sinceLast how much time counts as passed since the last check
   */
  void look(long now, long sinceLast) {
    long passed = begun ? sinceLast : 0;
    begun = true;
    boolean sent = link.output.sent() != sentBefore;
    sentBefore = link.output.sent();
    boolean read = readInInterval;
    readInInterval = false;
    boolean took = link.counters.framesReceived() != takenBefore;
    takenBefore = link.counters.framesReceived();
    if (lookAtFrame(now, passed)) {
      return;
    }
    boolean isOurs = isOurTurn();
    boolean acted = sent || (isOurs ? took : read);
    long before = isOurs == ours ? waited : 0;
    ours = isOurs;
    waited = acted ? 0 : before + passed;
    if (isOurs) {
      lookAtStall();
    } else {
      lookAtIdle();
    }
  }

  /** While bytes are queued for the peer, the peer has to act next, whatever waits here. */
  private boolean isOurTurn() {
    return link.output.pending() == 0 && (reading.isPausedByThisSide() || link.waitsForHandler());
  }

  private void lookAtIdle() {
    if (isOver(waited, link.settings.idleNanos())) {
      timeOut(
          link.totals().connectionsIdle,
          "connection was idle for " + millis(waited) + " ms (idleTimeout: "
              + millis(link.settings.idleNanos()) + " ms, peer " + link.peer() + ")");
    }
  }

  private void lookAtStall() {
    if (isOver(waited, link.settings.stallNanos())) {
      String why = link.waitsForHandler()
          ? "its handler took none of the " + link.bytesNotTaken() + " waiting bytes"
          : "the memory budget is exhausted";
      timeOut(
          link.totals().connectionsStalled,
          "connection was stalled by this side for " + millis(waited) + " ms: " + why
              + " (stallTimeout: " + millis(link.settings.stallNanos()) + " ms, peer "
              + link.peer() + ")");
    }
  }

  private boolean lookAtFrame(long now, long passed) {
    long since = link.insideSince(now);
    if (since == 0) {
      frame = null;
      return false;
    }
    FrameClock clock = frame;
    if (clock == null || clock.since != since) {
      clock = new FrameClock(since);
      frame = clock;
    }
    if (reading.isPaused() || link.waitsForHandler()) {
      return false;
    }
    clock.waited += Math.min(passed, now - since);
    if (!isOver(clock.waited, link.settings.frameNanos())) {
      return false;
    }
    timeOut(
        link.totals().framesTimedOut,
        "frame is not complete after " + millis(clock.waited) + " ms (frameTimeout: "
            + millis(link.settings.frameNanos()) + " ms, peer " + link.peer() + ")");
    return true;
  }

  private static boolean isOver(long nanos, long limit) {
    return limit > 0 && nanos >= limit;
  }

  /** Ends the bound on sending: everything was sent, or the connection is closed. */
  void outputEnded() {
    if (progressTimer != null) {
      progressTimer.cancel(false);
    }
  }

  /**
   * Ends a closing connection whose peer accepts none of the remaining bytes for {@code
   * closeTimeout}.
   */
  void boundClosing() {
    if (progressTimer == null && link.context().channel().isActive()) {
      lookAtProgress(link.output.sent());
    }
  }

  private void lookAtProgress(long before) {
    Runnable look = () -> {
      if (!link.context().channel().isActive()) {
        return;
      }
      long mark = link.output.sent();
      if (mark != before) {
        lookAtProgress(mark);
      } else {
        end("connection is still open after " + millis(link.settings.closeNanos())
            + " ms in which nothing could be sent (closeTimeout, peer " + link.peer() + ")");
      }
    };
    progressTimer =
        link.context().executor().schedule(look, link.settings.closeNanos(), TimeUnit.NANOSECONDS);
  }

  private void timeOut(LongAdder counter, String text) {
    counter.increment();
    end(text);
  }

  private void end(String text) {
    link.log(Event.TIMED_OUT, DEBUG, text, null);
    link.abort(new SocketTimeoutException(text));
  }

  private static long millis(long nanos) {
    return TimeUnit.NANOSECONDS.toMillis(nanos);
  }
}
