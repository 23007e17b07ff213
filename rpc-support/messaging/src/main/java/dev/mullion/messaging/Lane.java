package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What senders have appended to a queue and no receiver has looked at yet. To append takes the
 * lane's own lock. Receivers read what was appended without it, under that of the queue, which a
 * sender needs only if the lane is full or a receiver has to be woken.
 *
 * <pre>
 *  senders, the lane's lock             receivers, the queue's lock
 *  put: slots[appended++] = item  ----&gt;  poll: slots[taken++]
 *       while appended &lt; limit           limit = taken + what there is room for
 * </pre>
 */
final class Lane extends SpinLock {
  private static final int SLOTS = 128;
  private static final VarHandle APPENDED;
  private static final VarHandle TAKEN;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      APPENDED = lookup.findVarHandle(Lane.class, "appended", long.class);
      TAKEN = lookup.findVarHandle(Lane.class, "taken", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private Chunk last = new Chunk(); // as the next three guarded by the lane's lock
  private long appended; // receivers peek at it without
  private long limit;
  private boolean hungry;

  private Chunk first = last; // as all below guarded by the queue's lock
  private long taken;
  private long known; // how much of appended was seen: the slots up to there may be read

  /** How an item was appended. */
  enum Put {
    /** It was not: there is no room. */
    FULL,
    /** It was, and those who take from here look again by themselves. */
    DONE,
    /** It was, and somebody waits for it. */
    AWAITED
  }

  /** Appends an item, if there is room, with a time of the queue's clock. */
  Put put(Object item, long time) {
    lock();
    try {
      long number = appended;
      if (number >= limit) {
        return Put.FULL;
      }
      int slot = (int) number & (SLOTS - 1);
      Chunk chunk = last;
      if (slot == 0 && number != 0) {
        Chunk next = new Chunk();
        chunk.next = next;
        last = next;
        chunk = next;
      }
      chunk.items[slot] = item;
      chunk.times[slot] = time;
      APPENDED.setOpaque(this, number + 1);
      return hungry ? Put.AWAITED : Put.DONE;
    } finally {
      unlock();
    }
  }

  /** Returns whether nothing is here; needs no lock, and is exact for who has the owner's. */
  boolean isEmpty() {
    return size() == 0;
  }

  // ---- under the queue's lock

  /** Returns how many items are here, those too that are appended meanwhile. */
  long size() {
    return (long) APPENDED.getOpaque(this) - (long) TAKEN.getAcquire(this);
  }

  /** Removes and returns the next item; null if there is none. */
  @Nullable
  Object poll() {
    long number = taken;
    if (number == known && !look()) {
      return null;
    }
    Object item = item(number);
    TAKEN.setRelease(this, number + 1);
    return item;
  }

  /** Removes and returns that many items, or fewer if there are no more. */
  List<Object> poll(int most) {
    look();
    long number = taken;
    long end = Math.min(known, number + most);
    List<Object> items = new ArrayList<>((int) (end - number));
    for (; number < end; number++) {
      items.add(item(number));
    }
    TAKEN.setRelease(this, end);
    return items;
  }

  private Object item(long number) {
    int slot = (int) number & (SLOTS - 1);
    if (slot == 0 && number != 0) {
      first = requireNonNull(first.next);
    }
    Object item = requireNonNull(first.items[slot]);
    first.items[slot] = null; // else a queue that rests keeps it in memory
    return item;
  }

  /** Returns the time of the item that was polled last. */
  long time() {
    return first.times[(int) (taken - 1) & (SLOTS - 1)];
  }

  private boolean look() {
    if (isEmpty()) {
      return false;
    }
    lock();
    known = appended;
    unlock();
    return known != taken;
  }

  /** Lets no more be appended than there is room for, besides what is here. */
  void open(long room) {
    long most = room >= Long.MAX_VALUE - taken ? Long.MAX_VALUE : taken + room;
    lock();
    limit = most;
    unlock();
  }

  /** Lets nothing be appended until it is opened. */
  void close() {
    open(0);
  }

  /**
   * Asks senders to tell of the next item.
   *
   * @return false if there is one already
   */
  boolean await() {
    lock();
    boolean empty = appended == (long) TAKEN.getAcquire(this);
    hungry = empty;
    unlock();
    return empty;
  }

  /** Ends {@link #await}. */
  void awaitNoMore() {
    lock();
    hungry = false;
    unlock();
  }

  /** Some slots; each is young with its items, which spares the collector's marks. */
  private static final class Chunk {
    private final @Nullable Object[] items = new @Nullable Object[SLOTS];
    private final long[] times = new long[SLOTS];
    private @Nullable Chunk next;
  }
}
