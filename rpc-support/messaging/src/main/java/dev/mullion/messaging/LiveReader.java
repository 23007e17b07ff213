package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How far one live subscriber has read its {@link LiveLane}, and how much room it has. Guarded by
 * its subscriber's lock, except what is said to be guarded by the lane's.
 */
final class LiveReader {
  private static final VarHandle TAKEN;
  private static final VarHandle TAKEN_BYTES;
  private static final VarHandle ROOM;
  private static final VarHandle ROOM_BYTES;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      TAKEN = lookup.findVarHandle(LiveReader.class, "taken", long.class);
      TAKEN_BYTES = lookup.findVarHandle(LiveReader.class, "takenBytes", long.class);
      ROOM = lookup.findVarHandle(LiveReader.class, "room", long.class);
      ROOM_BYTES = lookup.findVarHandle(LiveReader.class, "roomBytes", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  final LiveSource source;
  private final LiveLane lane;
  private volatile boolean apart = true; // guarded by the lane's lock, as the next four
  private volatile boolean awaiting;
  private boolean gone;
  private volatile long end; // where it stops: set before more is appended
  private volatile long endBytes;

  private @Nullable LiveSlots slots; // null if it stands apart, and has read all
  private int next; // of the slots
  private long taken; // the lane looks at it without the lock, as at the next three
  private long takenBytes;

  @SuppressWarnings("unused") // by ROOM
  private long room; // only ever becomes less while it stands apart, as the next

  @SuppressWarnings("unused") // by ROOM_BYTES
  private long roomBytes;

  LiveReader(LiveSource source, LiveLane lane) {
    this.source = source;
    this.lane = lane;
  }

  // ---- under the lane's lock

  boolean isApart() {
    return apart;
  }

  /** Stops it at a place; what is before that it still reads. */
  void part(long end, long endBytes) {
    this.endBytes = endBytes;
    this.end = end;
    this.apart = true;
  }

  /** Lets it begin at a place, under its subscriber's lock too. */
  void open(long number, long bytes, LiveSlots slots, int next) {
    moveTo(slots, next);
    TAKEN_BYTES.setOpaque(this, bytes);
    TAKEN.setRelease(this, number);
    this.endBytes = Long.MAX_VALUE;
    this.end = Long.MAX_VALUE;
    this.apart = false;
  }

  /** Goes on from that slot, under its subscriber's lock too. */
  void moveTo(LiveSlots slots, int next) {
    this.slots = slots;
    this.next = next;
  }

  /** Returns how many messages may be appended in all, for its sake. */
  long limit() {
    return taken() + (long) ROOM.getOpaque(this);
  }

  long limitBytes() {
    return (long) TAKEN_BYTES.getOpaque(this) + (long) ROOM_BYTES.getOpaque(this);
  }

  long taken() {
    return (long) TAKEN.getAcquire(this);
  }

  void setGone() {
    gone = true;
  }

  boolean isGone() {
    return gone;
  }

  void setAwaiting(boolean awaits) {
    awaiting = awaits;
  }

  boolean isAwaiting() {
    return awaiting;
  }

  // ---- under its subscriber's lock

  /** Lets it have as much of what is published as that, besides what it has not read. */
  void open(long room, long bytes) {
    if (room <= 0 || bytes <= 0) {
      close();
      return;
    }
    ROOM.setOpaque(this, room);
    ROOM_BYTES.setOpaque(this, bytes);
    if (apart && isEmpty()) {
      lane.open(this);
    }
  }

  /** Lets it have nothing of what is published from now on; what it has not read is left. */
  void close() {
    if (!apart) {
      lane.close(this);
    }
  }

  /** Returns how many messages it has to read, those too that are appended meanwhile. */
  long size() {
    long appended = lane.appended();
    return Math.min(appended, end) - taken(); // the end in this order
  }

  long bytes() {
    long appended = lane.appendedBytes();
    return Math.min(appended, endBytes) - takenBytes; // as above
  }

  /** Returns whether there is nothing to read; needs no lock, and is exact for who has it. */
  boolean isEmpty() {
    return size() <= 0;
  }

  /** Reads that many messages, or fewer if there are no more. */
  List<LiveMessage> poll(int most) {
    int count = (int) Math.min(size(), most);
    List<LiveMessage> messages = new ArrayList<>(count);
    long bytes = takenBytes;
    for (int i = 0; i < count; i++) {
      LiveMessage message = message();
      bytes += message.bytes;
      messages.add(message);
    }
    TAKEN_BYTES.setOpaque(this, bytes);
    TAKEN.setRelease(this, taken + count);
    if (taken == end) {
      slots = null; // else it would keep in memory all that follows
    }
    return messages;
  }

  private LiveMessage message() {
    LiveSlots from = requireNonNull(slots);
    LiveMessage message = next < from.items.length ? from.items[next] : null;
    if (message == null) { // it was appended, so it is in the following ones
      from = requireNonNull(from.next);
      message = requireNonNull(from.items[0]);
      moveTo(from, 0);
    }
    next++;
    return message;
  }

  /** Asks publishers to tell of the next message; false if there is one already. */
  boolean await() {
    return lane.await(this);
  }

  /** Ends {@link #await}. */
  void awaitNoMore() {
    if (awaiting) {
      lane.awaitNoMore(this);
    }
  }

  /** Begins to read, once its subscriber is made; under no lock. */
  void join(long room, long bytes) {
    this.room = room;
    this.roomBytes = bytes;
    lane.add(this);
  }

  /** Leaves the lane. */
  void leave() {
    lane.remove(this);
  }
}
