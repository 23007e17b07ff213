package dev.mullion.messaging;

/**
 * Whether senders would have to wait for room. A sender that is faster than its receivers finds
 * their queue full again and again, and to park each of its sends costs several times what the
 * message costs. So it first gives the receivers the processor for a moment, as they make room for
 * many messages at once.
 */
final class FullMark {
  private static final int YIELDS = 32;

  private volatile boolean full;

  /** Sets or clears the mark; under the lock of what it stands for. */
  void set(boolean full) {
    if (this.full != full) {
      this.full = full;
    }
  }

  /**
   * Lets others run for a moment, or until there is room. Under no lock. Handlers do not wait here:
   * the room may depend on them, and asynchronous ones never wait.
   */
  @SuppressWarnings("ThreadPriorityCheck") // after 32 yields the send is parked
  void yieldWhileFull() {
    if (!full || HandlerRunner.current() != null) {
      return;
    }
    for (int i = 0; full && i < YIELDS; i++) {
      Thread.yield();
    }
  }
}
