package dev.mullion.framing.tcp;

import io.netty.channel.Channel;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;

/**
 * Decides when a connection is read from, and counts the memory it holds. The event loop's thread
 * calls everything, unless noted otherwise.
 */
final class Reading implements MemoryBudget.Holder {
  /** Reasons why reading is paused; several may apply. */
  static final int HANDLER_BEHIND = 1;

  static final int PEER_BEHIND = 2;
  static final int MEMORY = 4;

  /** Replaces the held bytes once nothing counts any more. */
  private static final long CLOSED = Long.MIN_VALUE;

  private static final AtomicLongFieldUpdater<Reading> HELD =
      AtomicLongFieldUpdater.newUpdater(Reading.class, "held");

  private final LinkContext link;
  private volatile long held;
  private long outputHeld;
  private long outputLeft;
  private int pauses;

  Reading(LinkContext link) {
    this.link = link;
  }

  private MemoryBudget budget() {
    return link.settings.budget();
  }

  void begin() {
    budget().opened();
  }

  /** Adds to the memory that the connection holds. Any thread may call it. */
  void hold(long bytes) {
    if (bytes != 0
        && HELD.getAndUpdate(this, was -> was == CLOSED ? CLOSED : was + bytes) != CLOSED) {
      budget().add(bytes);
      if (bytes < 0) {
        budget().holdsLess(this, held);
      }
    }
  }

  @Override
  public long held() {
    return held;
  }

  /** Returns the unsent bytes noted last. */
  long outputLeft() {
    return outputLeft;
  }

  /**
   * Pauses reading if memory is short; also before the connection is open, when TLS holds memory.
   */
  void limitMemory() {
    if ((pauses & MEMORY) == 0 && budget().isTooMuch(held) && !budget().goesFirst(this)) {
      pause(MEMORY);
      budget().whenFree(this);
    }
  }

  @Override
  public void memoryIsFree() {
    link.runOnLoop(() -> resume(MEMORY));
  }

  /**
   * Updates the held memory from the output.
   *
   * @param memory the memory of everything that is not in the kernel
   * @param unsent the unsent bytes of it
   */
  void noteOutput(long memory, long unsent) {
    if (memory != outputHeld) {
      hold(memory - outputHeld);
      outputHeld = memory;
    }
    outputLeft = unsent;
  }

  /** Notes that a handler has taken everything. Any thread may call it. */
  void handlerCaughtUp() {
    // A resume without a pause does nothing; a pause is set only while bytes wait.
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
      (reason == MEMORY ? link.totals().readsPausedForMemory : link.totals().readsPaused)
          .increment();
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

  /** Whether this side, not the peer, has to act next. */
  boolean isPausedByThisSide() {
    return (pauses & ~PEER_BEHIND) != 0;
  }

  /** On a closed socket it would fail, or affect another socket that has since got its number. */
  private void autoRead(boolean on) {
    Channel channel = link.context().channel();
    if (channel.isActive()) {
      channel.config().setAutoRead(on);
    }
  }

  /** Returns all memory, once: the connection is closed. */
  void end() {
    long last = HELD.getAndSet(this, CLOSED);
    if (last != CLOSED) {
      budget().closed(this, last);
    }
  }
}
