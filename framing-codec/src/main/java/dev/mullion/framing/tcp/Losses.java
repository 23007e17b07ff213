package dev.mullion.framing.tcp;

import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

/** Counts, once, a connection's bytes that were accepted for sending and are lost with it. */
final class Losses {
  private static final AtomicIntegerFieldUpdater<Losses> COUNTED =
      AtomicIntegerFieldUpdater.newUpdater(Losses.class, "counted");

  private final TcpCounters totals;
  private final Outbound outbound;

  @SuppressWarnings("unused") // By its updater only.
  private volatile int counted;

  private long unsentAtClose;

  Losses(TcpCounters totals, Outbound outbound) {
    this.totals = totals;
    this.outbound = outbound;
  }

  /** Notes, on the event loop, what is unsent when this side closes the socket. */
  void noteUnsent() {
    noteUnsent(outbound.unsent());
  }

  /** Notes, on the event loop, the unsent bytes when the socket is closed. */
  void noteUnsent(long bytes) {
    unsentAtClose = bytes;
  }

  /** Counts lost bytes at the end, on the event loop. */
  void countAtEnd() {
    long lost = Math.max(unsentAtClose, outbound.notHandedOn());
    if (COUNTED.compareAndSet(this, 0, 1)) {
      totals.bytesNotSent.add(lost);
    }
  }

  /** Counts unsent bytes from outside of a held event loop; returns whether it has counted. */
  boolean countHeld() {
    boolean counts = COUNTED.compareAndSet(this, 0, 1);
    if (counts) {
      totals.bytesNotSent.add(outbound.held());
    }
    return counts;
  }
}
