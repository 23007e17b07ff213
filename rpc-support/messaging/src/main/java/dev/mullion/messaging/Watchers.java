package dev.mullion.messaging;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/**
 * The receivers that have nothing to do, and look out for messages for some microseconds before
 * they ask to be woken. To wake a thread costs as much as dozens of messages, so senders let
 * messages wait for those who look out, and wake no other receiver.
 */
final class Watchers {
  private static final int LOOKS = Runtime.getRuntime().availableProcessors() > 1 ? 256 : 0;
  private static final int LAST_LOOKS = 8;
  private static final long GATHER_NANOS = LOOKS > 0 ? 1_000 : 0;

  private final AtomicInteger present = new AtomicInteger();

  /**
   * Returns whether any receiver looks out. A sender asks once more after its message can be seen:
   * one that has left by then has seen it.
   */
  boolean arePresent() {
    return present.get() != 0;
  }

  /**
   * Lets messages gather for a microsecond. A receiver that is quicker than the senders would find
   * only a few each time, and each look at them slows the senders, whose memory it takes away.
   */
  static void gather() {
    long start = System.nanoTime();
    while (System.nanoTime() - start < GATHER_NANOS) {
      Thread.onSpinWait();
    }
  }

  /**
   * Looks out for a moment; returns whether there is something. Under no lock. The last looks leave
   * the processor to a sender that waits for it: else on a busy machine each of its messages wakes
   * a receiver, which takes the processor from it and sleeps again before the next one comes.
   */
  @SuppressWarnings("ThreadPriorityCheck") // to yield is the point
  boolean lookOut(BooleanSupplier something) {
    present.getAndIncrement();
    try {
      for (int i = 0; i < LOOKS && !something.getAsBoolean(); i++) {
        Thread.onSpinWait();
      }
      for (int i = 0; i < LAST_LOOKS && !something.getAsBoolean(); i++) {
        Thread.yield();
      }
    } finally {
      present.getAndDecrement();
    }
    return something.getAsBoolean();
  }
}
