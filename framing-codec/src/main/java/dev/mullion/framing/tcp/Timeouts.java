package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;

import java.net.SocketTimeoutException;
import java.util.concurrent.TimeUnit;

/** A connection's timeouts, which are looked at at intervals by the event loop's thread. */
final class Timeouts {
  private final Link link;
  private final ConnectionSettings settings;
  private boolean readInInterval;
  private long activeAt;
  private long pausedAt;
  private long waitedBefore;

  Timeouts(Link link) {
    this.link = link;
    settings = link.settings;
  }

  void begin() {
    activeAt = System.nanoTime();
    pausedAt = activeAt;
  }

  /** Says that something came. */
  void active() {
    readInInterval = true;
  }

  void look(long now) {
    if (!link.isOpened()) {
      return; // The handshake has a timeout of its own.
    }
    long waits = link.connection().outbound().progressMark();
    if (readInInterval || waits != waitedBefore) {
      activeAt = now;
    }
    readInInterval = false;
    waitedBefore = waits;
    link.reading.noteOutput();
    if (link.reading.isPausedByThisSide()) {
      // The peer cannot be blamed for what is not read.
      pausedAt = now;
    }
    lookAtFrame(now);
    lookAtIdleness(now);
  }

  private void lookAtFrame(long now) {
    long since = link.insideSince(now);
    long waited = since == 0 ? 0 : Math.min(now - since, now - pausedAt);
    if (settings.frameNanos() > 0 && waited >= settings.frameNanos()) {
      link.totals.framesTimedOut.increment();
      timeOut("frame is not complete after " + millis(waited) + " ms (frameTimeout: "
          + millis(settings.frameNanos()) + " ms, peer " + link.peer() + ")");
    }
  }

  private void lookAtIdleness(long now) {
    if (settings.idleNanos() > 0
        && now - activeAt >= settings.idleNanos()
        && link.context().channel().isActive()) {
      link.totals.connectionsIdle.increment();
      timeOut("connection was idle for " + millis(now - activeAt) + " ms (idleTimeout: "
          + millis(settings.idleNanos()) + " ms, peer " + link.peer() + ")");
    }
  }

  /** Says that in all of {@code closeTimeout} nothing of what is left could be sent. */
  void closingTakesTooLong() {
    timeOut("connection is not closed after " + millis(settings.closeNanos())
        + " ms in which nothing could be sent (closeTimeout, peer " + link.peer() + ")");
  }

  private void timeOut(String text) {
    link.log(Event.TIMED_OUT, DEBUG, text, null);
    link.ending.abort(new SocketTimeoutException(text));
  }

  private static long millis(long nanos) {
    return TimeUnit.NANOSECONDS.toMillis(nanos);
  }
}
