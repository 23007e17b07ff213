package dev.mullion.messaging.grpc;

import dev.mullion.messaging.Message;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The memory of the deliveries of one client that have no outcome, and its bound. A quarter is kept
 * for subscriptions that have none yet, so that a busy one does not stop the others.
 */
final class UnsettledBytes {
  /** What a delivery takes besides its message, roughly: many small ones count too. */
  private static final long DELIVERY_BYTES = 128;

  private final long most;
  private final AtomicLong taken = new AtomicLong();
  private final AtomicBoolean awaited = new AtomicBoolean();

  UnsettledBytes(long most) {
    this.most = most;
  }

  /** Returns what a message takes, roughly. */
  static long of(Message<byte[]> message) {
    long size = DELIVERY_BYTES + message.payload().length;
    for (Map.Entry<String, String> header : message.headers().entrySet()) {
      size += header.getKey().length() + header.getValue().length();
    }
    return size;
  }

  /**
   * Takes room for a delivery; a single one always has room.
   *
   * @param first whether its subscription has no other
   * @return whether there was room; if not, {@link #free} tells when there may be
   */
  boolean take(long size, boolean first) {
    if (tryTake(size, first)) {
      return true;
    }
    awaited.set(true);
    return tryTake(size, first); // room that was freed in between
  }

  private boolean tryTake(long size, boolean first) {
    long before = taken.getAndUpdate(now -> fits(now, size, first) ? now + size : now);
    return fits(before, size, first);
  }

  private boolean fits(long now, long size, boolean first) {
    return now == 0 || now + size <= (first ? most : most - most / 4);
  }

  /** Returns how many deliveries of a size have room; if not enough, {@link #free} tells. */
  long room(long size, boolean first, long enough) {
    long room = room(size, first);
    if (room >= enough) {
      return room;
    }
    awaited.set(true);
    return room(size, first); // with what was freed in between
  }

  private long room(long size, boolean first) {
    long now = taken.get();
    long least = fits(now, size, first) ? 1 : 0;
    return Math.max(least, (most - most / 4 - now) / size);
  }

  /** Frees the room of a delivery; returns whether subscriptions wait for room. */
  boolean free(long size) {
    taken.addAndGet(-size);
    return awaited.get() && awaited.getAndSet(false);
  }
}
