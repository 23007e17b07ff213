package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.engine.RawDelivery;
import dev.mullion.messaging.engine.Sink;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * What waits for the credit of one live subscriber or receiver: bounded, and dropped by its policy.
 */
final class LiveBuffer {
  private final Sink sink;
  private final int capacity;
  private final Overflow overflow;

  // Guarded by this; the sink is called under no lock, by one thread at a time.
  private final ArrayDeque<RawDelivery> waiting = new ArrayDeque<>();
  private long credit;
  private boolean passing;
  private boolean cancelled;

  LiveBuffer(Sink sink, int capacity, Overflow overflow) {
    this.sink = sink;
    this.capacity = Math.max(1, capacity);
    this.overflow = overflow;
  }

  void offer(RawDelivery delivery) {
    boolean dropped = false;
    synchronized (this) {
      if (cancelled) {
        return;
      }
      if (waiting.size() >= capacity + Math.max(0, credit)) {
        dropped = true;
        if (overflow == Overflow.DROP_OLDEST) {
          waiting.poll();
          waiting.add(delivery);
        }
      } else {
        waiting.add(delivery);
      }
    }
    if (dropped) {
      sink.dropped(1);
    }
    pass();
  }

  void request(int deliveries) {
    synchronized (this) {
      credit += deliveries;
    }
    pass();
  }

  synchronized void cancel() {
    cancelled = true;
    waiting.clear();
  }

  private void pass() {
    for (RawDelivery next = next(true); next != null; next = next(false)) {
      sink.deliver(next);
    }
  }

  private synchronized @Nullable RawDelivery next(boolean first) {
    if (first && passing) {
      return null; // the other one sees what was added
    }
    if (cancelled || credit <= 0 || waiting.isEmpty()) {
      passing = false;
      return null;
    }
    passing = true;
    credit--;
    return waiting.poll();
  }
}
