package dev.mullion.framing.tcp;

import java.util.concurrent.TimeUnit;

/**
 * How a connection comes to its end when its server stops. It looks at short intervals whether the
 * peer still sends, since nothing tells how much is on its way. Called by the event loop's thread.
 *
 * <pre>{@code
 *  begin            quiet, or late                 FIN                       close
 *  |-- answers -----|-- rest of the last frame ----|-- reads and drops ------|
 *   a look each 20 ms                               300 ms of quiet, 60 if late
 * }</pre>
 */
final class Draining {
  /** A connection on which nothing came for so long has sent what it had to send. */
  private static final long QUIET_MILLIS = 20;

  /**
   * One that was quiet, and has been sent a FIN, is closed when nothing came for so many times as
   * long: TCP itself may pause for 200 ms when a window was closed.
   */
  private static final int LAST_LOOKS = 15;

  /** The same when half of the time is over. */
  private static final int LATE_LAST_LOOKS = 3;

  private final LinkContext link;
  private final Reading reading;
  private final Ending ending;

  /** When the peer is not answered any longer, whatever it sends. */
  private long until;

  private long heardBefore;
  private int quietLooks;

  /**
   * Whether the peer was still sending when its input was ended: it may take no notice of a FIN.
   */
  private boolean peerGoesOn;

  Draining(LinkContext link, Reading reading, Ending ending) {
    this.link = link;
    this.reading = reading;
    this.ending = ending;
  }

  /**
   * Answers what has been received and closes. A peer that goes on sending is not answered any more
   * after so many nanoseconds, but is still read from, since closing now would reset the connection
   * and could take sent replies from it.
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
