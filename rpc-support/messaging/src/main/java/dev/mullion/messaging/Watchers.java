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

  private final AtomicInteger present = new AtomicInteger();

  /**
   * Returns whether any receiver looks out. A sender asks once more after its message can be seen:
   * one that has left by then has seen it.
   */
  boolean arePresent() {
    return present.get() != 0;
  }

  /** Looks out for a moment; returns whether there is something. Under no lock. */
  boolean lookOut(BooleanSupplier something) {
    present.getAndIncrement();
    try {
      for (int i = 0; i < LOOKS && !something.getAsBoolean(); i++) {
        Thread.onSpinWait();
      }
    } finally {
      present.getAndDecrement();
    }
    return something.getAsBoolean();
  }
}
