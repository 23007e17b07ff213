package dev.mullion.framing.tcp;

import io.netty.channel.Channel;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Says when a connection is read from, and counts what it holds in memory. All but what is said
 * otherwise is called by the event loop's thread.
 */
final class Reading implements MemoryBudget.Holder {
  /** Why a connection is not read from; several may hold. */
  static final int HANDLER_BEHIND = 1;

  static final int PEER_BEHIND = 2;
  static final int MEMORY = 4;

  /** In place of what is held, when nothing counts any more. */
  private static final long CLOSED = Long.MIN_VALUE;

  private final LinkContext link;
  private final TcpCounters totals;
  private final MemoryBudget budget;
  private final AtomicLong held = new AtomicLong();
  private long outputHeld;
  private long outputLeft;
  private int pauses;

  Reading(LinkContext link) {
    this.link = link;
    totals = link.totals;
    budget = link.settings.budget();
  }

  void begin() {
    budget.opened();
  }

  /** Adds to what the connection holds in memory. Any thread may call it. */
  void hold(long bytes) {
    if (bytes != 0 && held.getAndUpdate(was -> was == CLOSED ? CLOSED : was + bytes) != CLOSED) {
      budget.add(bytes);
      if (bytes < 0) {
        budget.holdsLess(this, held.get());
      }
    }
  }

  @Override
  public long held() {
    return held.get();
  }

  /** How many bytes were to be sent, when that was last looked at. */
  long outputLeft() {
    return outputLeft;
  }

  /** Pauses reading if memory is short; also before the connection is open, when TLS holds it. */
  void limitMemory() {
    if ((pauses & MEMORY) == 0 && budget.isTooMuch(held.get()) && !budget.goesFirst(this)) {
      pause(MEMORY);
      budget.whenFree(this);
    }
  }

  @Override
  public void memoryIsFree() {
    link.runOnLoop(() -> resume(MEMORY));
  }

  /**
   * Brings what is held up to date with the output.
   *
   * @param memory what all takes that is not in the kernel
   * @param unsent how many bytes of it are to be sent
   */
  void noteOutput(long memory, long unsent) {
    if (memory != outputHeld) {
      hold(memory - outputHeld);
      outputHeld = memory;
    }
    outputLeft = unsent;
  }

  /** Says that a handler has taken everything. Any thread may call it. */
  void handlerCaughtUp() {
    // A resume that finds no pause does nothing, and a pause is only ever set for bytes that wait.
    if (link.context().executor().inEventLoop()) {
      resume(HANDLER_BEHIND);
    } else if (!link.context().channel().config().isAutoRead()) {
      link.runOnLoop(() -> resume(HANDLER_BEHIND));
    }
  }

  void pause(int reason) {
    if (pauses == 0) {
      autoRead(false);
    }
    if ((pauses & reason) == 0) {
      (reason == MEMORY ? totals.readsPausedForMemory : totals.readsPaused).increment();
    }
    pauses |= reason;
  }

  void resume(int reason) {
    if ((pauses & reason) != 0) {
      pauses &= ~reason;
      if (pauses == 0) {
        autoRead(true);
      }
    }
  }

  void resumeAll() {
    pauses = 0;
    autoRead(true);
  }

  boolean isPaused() {
    return pauses != 0;
  }

  /** Whether it is for this side to go on, not for the peer. */
  boolean isPausedByThisSide() {
    return (pauses & ~PEER_BEHIND) != 0;
  }

  /** On a socket that is closed it would fail, or meet another that has its number by now. */
  private void autoRead(boolean on) {
    Channel channel = link.context().channel();
    if (channel.isActive()) {
      channel.config().setAutoRead(on);
    }
  }

  /** Gives everything back, once: the connection is closed. */
  void end() {
    long last = held.getAndSet(CLOSED);
    if (last != CLOSED) {
      budget.closed(this, last);
    }
  }
}
