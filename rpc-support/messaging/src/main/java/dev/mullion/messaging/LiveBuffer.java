package dev.mullion.messaging;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The messages that wait for the credit of a live subscriber: those that were looked at, in a list,
 * and behind them those that publishers have put into the lane. Guarded by its source's lock,
 * except {@link #put} and {@link #isEmpty}.
 */
final class LiveBuffer {
  private final LiveSource source;
  private final @Nullable Lane lane; // null for signals, each of which is looked at
  private volatile @Nullable LiveDelivery first;
  private @Nullable LiveDelivery last;
  private int listed;

  LiveBuffer(LiveSource source, boolean usesLane) {
    this.source = source;
    this.lane = usesLane ? new Lane(false) : null;
  }

  /** Appends a message without a time to live if there is room; under no lock. */
  Lane.Put put(LiveMessage message) {
    return lane == null ? Lane.Put.FULL : lane.put(message, 0);
  }

  /** Returns whether nothing waits; under no lock. */
  boolean isEmpty() {
    Lane open = lane;
    return (open == null || open.isEmpty()) && first == null;
  }

  /** Lets publishers append no more than that besides what waits. */
  void open(int room) {
    if (lane != null) {
      lane.open(room);
    }
  }

  /** Lets publishers append nothing, and lists what they have appended. */
  void close() {
    if (lane != null) {
      lane.close();
      for (Object next = lane.poll(); next != null; next = lane.poll()) {
        add(new LiveDelivery(source, (LiveMessage) next));
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

  /** Appends a message; the lane is closed, or is not older. */
  void add(LiveDelivery message) {
    LiveDelivery before = last;
    last = message;
    listed++;
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
    first = following;
    return message;
  }

  /** Returns the oldest of those that are listed; {@link #close} lists all. */
  @Nullable
  LiveDelivery first() {
    return first;
  }
}
