package dev.mullion.framing.tcp;

import java.util.concurrent.atomic.AtomicBoolean;

/** Counts, once, the bytes that were taken to be sent on a connection and are lost with it. */
final class Losses {
  private final Link link;
  private final AtomicBoolean counted = new AtomicBoolean();
  private long unsentAtClose;

  Losses(Link link) {
    this.link = link;
  }

  /** Notes, on the event loop, what is left to send when this side closes the socket. */
  void noteUnsent() {
    unsentAtClose = link.isOpened() ? link.connection().outbound().unsent() : 0;
  }

  /** Notes, on the event loop, what was left to send when the socket was closed by others. */
  void noteUnsent(long bytes) {
    unsentAtClose = bytes;
  }

  /** Counts at the end, on the event loop, what is lost. */
  void countAtEnd() {
    long lost = Math.max(unsentAtClose, link.connection().outbound().notHandedOn());
    if (counted.compareAndSet(false, true)) {
      link.totals.bytesNotSent.add(lost);
    }
  }

  /** Counts what is not sent yet, from outside of a held event loop; returns whether it has counted. */
  boolean countHeld() {
    boolean counts = counted.compareAndSet(false, true);
    if (counts) {
      link.totals.bytesNotSent.add(link.connection().outbound().held());
    }
    return counts;
  }
}
