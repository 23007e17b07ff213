package dev.mullion.messaging.kafka;

import dev.mullion.messaging.Overflow;
import dev.mullion.messaging.engine.ConsumerSettings;
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
  private final long mostBytes;
  private final Overflow overflow;

  // Guarded by this; the sink is called under no lock, by one thread at a time.
  private final ArrayDeque<RawDelivery> waiting = new ArrayDeque<>();
  private long bytes; // of the payloads of those that wait
  private long credit;
  private boolean passing;
  private boolean cancelled;

  LiveBuffer(Sink sink, ConsumerSettings settings) {
    this.sink = sink;
    this.capacity = Math.max(1, settings.buffer());
    this.mostBytes = settings.bufferBytes();
    this.overflow = settings.overflow();
  }

  void offer(RawDelivery delivery) {
    int dropped = 0;
    synchronized (this) {
      if (cancelled) {
        return;
      }
      while (overflow == Overflow.DROP_OLDEST && !hasRoom(delivery)) {
        poll();
        dropped++;
      }
      if (hasRoom(delivery)) {
        waiting.add(delivery);
        bytes += size(delivery);
      } else {
        dropped = 1;
      }
    }
    if (dropped > 0) {
      sink.dropped(dropped);
    }
    pass();
  }

  private boolean hasRoom(RawDelivery delivery) {
    return waiting.isEmpty()
        || (waiting.size() < capacity + Math.max(0, credit) && size(delivery) <= mostBytes - bytes);
  }

  private static int size(RawDelivery delivery) {
    return delivery.message().payload().length;
  }

  private @Nullable RawDelivery poll() {
    RawDelivery first = waiting.poll();
    bytes -= first == null ? 0 : size(first);
    return first;
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
    bytes = 0;
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
    return poll();
  }
}
