package dev.mullion.messaging.kafka;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Consumer;

/** What a link has opened so far: all of it is closed if the link fails to open. */
final class Opened {
  private final Deque<Runnable> closings = new ArrayDeque<>();

  /** Adds one, and how it is closed. */
  <T> T add(T opened, Consumer<T> close) {
    closings.push(() -> close.accept(opened));
    return opened;
  }

  /** Closes them, the last one first. */
  void close() {
    for (Runnable each : closings) {
      try {
        each.run();
      } catch (RuntimeException e) {
        Logs.warn("close", "what a link had opened failed to close", e);
      }
    }
  }
}
