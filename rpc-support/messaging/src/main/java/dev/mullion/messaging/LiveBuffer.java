package dev.mullion.messaging;

import dev.mullion.messaging.engine.ConsumerSettings;
import dev.mullion.messaging.engine.Source;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The messages that wait for the credit of a live subscriber: those that were looked at, in a list,
 * and behind them those that publishers have put into the lane. Bounded by number and bytes, except
 * that one message has room in an empty one. Guarded by its source's lock, except {@link #put} and
 * {@link #isEmpty}.
 */
final class LiveBuffer {
  private static final int MOST_MARKED = 1024; // larger buffers have some of it at the subscriber

  private final LiveSource source;
  private final @Nullable Lane lane; // null for signals, each of which is looked at
  final int capacity;
  private final long mostBytes; // at most half of what a long holds, so that sums of it fit
  private volatile @Nullable LiveDelivery first;
  private @Nullable LiveDelivery last;
  private int listed;
  private long listedBytes;
  private long takenBytes; // of all that ever left the lane

  LiveBuffer(LiveSource source, boolean usesLane, ConsumerSettings settings) {
    this.source = source;
    this.lane = usesLane ? new Lane(false) : null;
    this.capacity = settings.buffer();
    this.mostBytes = Math.min(settings.bufferBytes(), Long.MAX_VALUE / 2);
    open(true);
  }

  /** Appends a message without a time to live if there is room; under no lock. */
  Lane.Put put(LiveMessage message) {
    return lane == null ? Lane.Put.FULL : lane.put(message, 0, message.bytes);
  }

  /** Returns whether nothing waits; under no lock. */
  boolean isEmpty() {
    Lane open = lane;
    return (open == null || open.isEmpty()) && first == null;
  }

  /** Lets publishers append as much as there is room for, or nothing. */
  void open(boolean isOpen) {
    if (lane != null) {
      int room = isOpen ? Math.max(0, capacity - listed) : 0; // what is in the lane has its room
      lane.open(room, takenBytes + Math.max(0, mostBytes - listedBytes));
    }
  }

  /** Lets publishers append nothing, and lists what they have appended. */
  void close() {
    if (lane != null) {
      lane.close();
      for (Object next = lane.poll(); next != null; next = lane.poll()) {
        LiveMessage message = (LiveMessage) next;
        takenBytes += message.bytes;
        add(new LiveDelivery(source, message));
      }
    }
  }

  /** Asks publishers to tell of the next message; false if there is one already. */
  boolean await() {
    return (lane == null || lane.await()) && first == null;
  }

  /** Ends {@link #await}. */
  void awaitNoMore() {
    if (lane != null) {
      lane.awaitNoMore();
    }
  }

  int size() {
    return listed + (lane == null ? 0 : (int) lane.size());
  }

  long bytes() {
    return listedBytes + (lane == null ? 0 : lane.appendedBytes() - takenBytes);
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
    List<LiveMessage> messages = lane == null || lane.isEmpty() ? List.of() : fromLane(lane, most);
    for (LiveMessage message : messages) {
      takenBytes += message.bytes;
    }
    return messages.isEmpty() ? null : new LiveBatch(messages);
  }

  @SuppressWarnings("unchecked") // it has nothing else
  private static List<LiveMessage> fromLane(Lane lane, int most) {
    return (List<LiveMessage>) (List<?>) lane.poll(most);
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

  /** Returns what waits, and the bounds, for an error. */
  @Override
  public String toString() {
    return size() + " messages of buffer " + capacity + " and " + bytes() + " bytes of bufferBytes "
        + mostBytes;
  }
}
