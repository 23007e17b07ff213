package dev.mullion.messaging.grpc;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** The frames of one client that have no answer yet, and their bound. */
final class Window {
  private final Serving.Limits limits;
  private final AtomicInteger frames = new AtomicInteger();
  private final AtomicLong bytes = new AtomicLong();

  Window(Serving.Limits limits) {
    this.limits = limits;
  }

  /** Counts a frame. */
  void take(long id, int size) {
    if (id == 0) {
      throw new BrokenRules("id: 0 (expected: another number)");
    }
    int count = frames.incrementAndGet();
    long sum = bytes.addAndGet(size);
    if (count > limits.window()) {
      throw new BrokenRules("frames without an answer: " + count + " (expected: <= "
          + limits.window() + ", the window in Welcome)");
    }
    if (sum > limits.windowBytes() && sum > size) {
      throw new BrokenRules("bytes of messages without an answer: " + sum + " (expected: <= "
          + limits.windowBytes() + ", window_bytes in Welcome, or one message)");
    }
  }

  /** Counts an answer. */
  void free(int size) {
    frames.decrementAndGet();
    bytes.addAndGet(-size);
  }

  boolean isEmpty() {
    return frames.get() == 0;
  }
}
