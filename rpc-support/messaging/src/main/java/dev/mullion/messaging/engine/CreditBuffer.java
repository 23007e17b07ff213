package dev.mullion.messaging.engine;

import dev.mullion.messaging.Overflow;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * What waits for the credit of one live subscriber, or of one receiver of a signal, in an engine
 * that has to take what arrives: bounded by number and bytes, and dropped by the subscription's
 * {@link Overflow}, of which only {@code DROP_OLDEST} and {@code DROP_NEWEST} are possible here.
 * Messages are delivered in the order in which they were offered, by one thread at a time: that of
 * {@link #offer}, or of {@link #request}. All methods may be called by several threads.
 */
public final class CreditBuffer {
  private final Sink sink;
  private final int capacity;
  private final long mostBytes;
  private final boolean dropsOldest;

  // Guarded by this; the sink is called under no lock.
  private final ArrayDeque<RawDelivery> waiting = new ArrayDeque<>();
  private long bytes; // of the payloads of those that wait
  private long credit;
  private boolean passing;
  private boolean cancelled;

  /** Creates one that is empty, without credit. */
  public CreditBuffer(Sink sink, ConsumerSettings settings) {
    this.sink = sink;
    this.capacity = Math.max(1, settings.buffer());
    this.mostBytes = settings.bufferBytes();
    this.dropsOldest = settings.overflow() == Overflow.DROP_OLDEST;
  }

  /** Delivers a message, lets it wait, or drops it or older ones; the sink is told of drops. */
  public void offer(RawDelivery delivery) {
    int dropped = 0;
    synchronized (this) {
      if (cancelled) {
        return;
      }
      while (dropsOldest && !hasRoom(delivery)) {
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

  /** Allows that many more deliveries. */
  public void request(int deliveries) {
    synchronized (this) {
      credit += deliveries;
    }
    pass();
  }

  /** Drops what waits, uncounted, and takes nothing more. */
  public synchronized void cancel() {
    cancelled = true;
    waiting.clear();
    bytes = 0;
  }

  private void pass() {
    try {
      for (RawDelivery next = next(true); next != null; next = next(false)) {
        sink.deliver(next);
      }
    } catch (Throwable e) { // such as no memory: the next delivery goes on
      passed();
      throw e;
    }
  }

  private synchronized void passed() {
    passing = false;
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
