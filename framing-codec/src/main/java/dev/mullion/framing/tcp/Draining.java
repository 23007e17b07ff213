package dev.mullion.framing.tcp;

import java.util.concurrent.TimeUnit;

/**
 * How a connection drains when its server stops. It checks at short intervals whether the peer
 * still sends, since nothing tells how much input is in transit. Called by the event loop's thread.
 *
 * <pre>{@code
 *  begin            quiet, or late                 FIN                       close
 *  |-- answers -----|-- rest of the last frame ----|-- reads and drops ------|
 *   a check each 20 ms                              300 ms of quiet, 60 if late
 * }</pre>
 */
final class Draining {
  /** A connection without input for this long has sent everything. */
  private static final long QUIET_MILLIS = 20;

  /**
   * After the FIN, a quiet connection is closed when nothing arrives for this many quiet intervals:
   * TCP itself may pause for 200 ms after a closed window.
   */
  private static final int LAST_LOOKS = 15;

  /** The same after half of the time has passed. */
  private static final int LATE_LAST_LOOKS = 3;

  private final LinkContext link;
  private final Reading reading;
  private final Ending ending;

  /** When answering the peer ends, even if it still sends. */
  private long until;

  private long heardBefore;
  private int quietLooks;

  /** Whether the peer was still sending when its input was ended: it may ignore a FIN. */
  private boolean peerGoesOn;

  Draining(LinkContext link, Reading reading, Ending ending) {
    this.link = link;
    this.reading = reading;
    this.ending = ending;
  }

  /**
   * Answers the received frames and closes. After this many nanoseconds a peer that keeps sending
   * is no longer answered. It is still read from: closing now would reset the connection and could
   * discard sent replies.
   */
  void begin(long nanos) {
    if (!link.isOpened()) {
      link.context().close();
      return;
    }
    ending.stopping();
    link.guarded(link::onStopping);
    heardBefore = ending.heard();
    until = System.nanoTime() + nanos;
    lookAgain();
  }

  private void lookAgain() {
    link.context().executor().schedule(this::look, QUIET_MILLIS, TimeUnit.MILLISECONDS);
  }

  private void look() {
    if (!link.context().channel().isOpen()) {
      return;
    }
    boolean heard = ending.heard() != heardBefore;
    heardBefore = ending.heard();
    boolean late = System.nanoTime() - until >= 0;
    boolean busy = heard || link.isInsideFrame() || reading.isPaused();
    quietLooks = heard || !ending.isOutputEnded() ? 0 : quietLooks + 1;
    if (ending.dropsInput()) {
      closeIfQuiet(late ? LATE_LAST_LOOKS : LAST_LOOKS);
    } else if (!ending.isInputStopping() && (late || !busy)) {
      peerGoesOn = busy;
      ending.stopInput();
    }
    lookAgain();
  }

  private void closeIfQuiet(int looks) {
    if (ending.isOutputEnded() && !peerGoesOn && quietLooks >= looks) {
      ending.closeNow();
    }
  }
}
