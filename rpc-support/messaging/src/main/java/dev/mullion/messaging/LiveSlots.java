package dev.mullion.messaging;

import org.jspecify.annotations.Nullable;

/**
 * Some messages of a {@link LiveLane}. They stay in memory until all readers have gone on to the
 * next ones; those that follow a rest are few, and then twice as many each time.
 */
final class LiveSlots {
  static final int LEAST = 8;
  private static final int MOST = 128;

  final @Nullable LiveMessage[] items; // the first free one is the end, if there are more slots

  @Nullable
  LiveSlots next;

  LiveSlots(int size) {
    items = new @Nullable LiveMessage[Math.min(size, MOST)];
  }
}
