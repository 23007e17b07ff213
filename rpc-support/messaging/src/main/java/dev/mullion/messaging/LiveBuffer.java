package dev.mullion.messaging;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The messages that wait for the credit of a live subscriber: those that were looked at, in a list,
 * and behind them those that it has not read in the lane of its topic. Bounded by number and bytes,
 * except that one message has room in an empty one. Guarded by its source's lock, except {@link
 * #isEmpty} and {@link #leave}.
 */
final class LiveBuffer {
  private static final int MOST_MARKED = 1024; // larger buffers have some of it at the subscriber

  private final LiveSource source;
  private final @Nullable LiveReader reader; // null for signals, each of which is looked at
  final int capacity;
  private final long mostBytes; // at most half of what a long holds, so that sums of it fit
  private volatile @Nullable LiveDelivery first;
  private @Nullable LiveDelivery last;
  private int listed;
  private long listedBytes;

  LiveBuffer(LiveSource source, @Nullable LiveLane lane, ConsumerSettings settings) {
    this.source = source;
    this.reader = lane == null ? null : new LiveReader(source, lane);
    this.capacity = settings.buffer();
    this.mostBytes = Math.min(settings.bufferBytes(), Long.MAX_VALUE / 2);
  }

  /** Begins to read the lane. Under no lock: nobody else knows its source yet. */
  void join() {
    if (reader != null) {
      reader.join(capacity, mostBytes);
    }
  }

  /** Ends that; what is not read is left. Under no lock. */
  void leave() {
    if (reader != null) {
      reader.leave();
    }
  }

  /** Returns whether nothing waits; under no lock. */
  boolean isEmpty() {
    LiveReader open = reader;
    return (open == null || open.isEmpty()) && first == null;
  }

  /** Lets the lane have as many messages for this as there is room for, or none. */
  void open(boolean isOpen) {
    if (reader == null) {
      return;
    }
    if (isOpen) {
      reader.open(capacity - listed, mostBytes - listedBytes); // what is not read has its room
    } else {
      reader.close();
    }
  }

  /** Lets the lane have no more messages for this, and lists those that are not read. */
  void close() {
    if (reader != null) {
      reader.close();
      reader.poll(Integer.MAX_VALUE).forEach(message -> add(new LiveDelivery(source, message)));
    }
  }

  /** Asks publishers to tell of the next message; false if there is one already. */
  boolean await() {
    return (reader == null || reader.await()) && first == null;
  }

  /** Ends {@link #await}. */
  void awaitNoMore() {
    if (reader != null) {
      reader.awaitNoMore();
    }
  }

  int size() {
    return listed + (reader == null ? 0 : (int) reader.size());
  }

  long bytes() {
    return listedBytes + (reader == null ? 0 : reader.bytes());
  }

  /** Returns whether a message has room. */
  boolean fits(LiveDelivery message) {
    int size = size();
    return size < capacity && (size == 0 || bytes() + message.bytes() <= mostBytes);
  }

  boolean isFull() {
    return size() >= capacity || bytes() >= mostBytes;
  }

  boolean hasMuchRoom() {
    return size() <= capacity / 2 && bytes() <= mostBytes / 2;
  }

  /** Appends a message; the lane is closed, or is not older. */
  void add(LiveDelivery message) {
    LiveDelivery before = last;
    last = message;
    listed++;
    listedBytes += message.bytes();
    if (before == null) {
      first = message;
    } else {
      before.next = message;
    }
  }

  /** Removes and returns that many of the oldest messages, or fewer; null without any. */
  @Nullable
  Parcel poll(int most) {
    if (first != null) {
      return poll();
    }
    List<LiveMessage> messages = reader == null ? List.of() : reader.poll(most);
    return messages.isEmpty() ? null : new LiveBatch(messages);
  }

  /** Removes and returns the oldest of those that are listed; null without any. */
  @Nullable
  LiveDelivery poll() {
    LiveDelivery message = first;
    if (message == null) {
      return null;
    }
    LiveDelivery following = (LiveDelivery) message.next;
    message.next = null;
    last = following == null ? null : last;
    listed--;
    listedBytes -= message.bytes();
    first = following;
    return message;
  }

  /**
   * Returns how many of that many messages to hand out at once: what is handed out does not count
   * any more, so that it is not much. By the average of all that wait: large ones in a row may be
   * more.
   */
  int share(int most) {
    long bytes = bytes();
    if (bytes <= mostBytes / 4) {
      return most;
    }
    long eachHas = bytes / Math.max(1, size()) + 1;
    return (int) Math.min(most, Math.max(1, mostBytes / 4 / eachHas));
  }

  /** Marks all that wait as seen; the lane is closed. */
  Source.Buffer look(long now) {
    LiveDelivery oldest = first;
    if (oldest == null) {
      return Source.Buffer.EMPTY;
    }
    LiveDelivery each = oldest;
    for (int i = 0; i < MOST_MARKED && each != null; i++) {
      each.seen = each.seen == Times.NEVER ? now : each.seen;
      each = (LiveDelivery) each.next;
    }
    return new Source.Buffer(listed, Duration.ofNanos(now - oldest.seen));
  }

  /** Returns the error of a sender that found no room, with what waits and the bounds. */
  QueueFullException full(String when) {
    return new QueueFullException(
        "a subscriber of " + source.topic() + " is full: " + size() + " messages of buffer "
            + capacity + " and " + bytes() + " bytes of bufferBytes " + mostBytes
            + " wait for it, no room" + when
            + "; other subscribers have the message (overflow: " + source.overflow() + ")",
        true);
  }
}
