package dev.mullion.messaging;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * What was published to a topic or pattern, once for all of its live subscribers: each of them has
 * a reader, which goes on by itself. So to publish is one append, however many subscribe.
 *
 * <pre>
 *  publishers, the lane's lock           readers, each with the lock of its subscriber
 *  put: slots[appended++] = message ---&gt;  poll: slots[taken++]
 *       while appended &lt; limit            limit = the least of all taken + room
 * </pre>
 *
 * <p>A subscriber for which something has to be decided stands apart: one without room, one whose
 * lock is held to look at what waits, and each one for a message with a time to live. It gets such
 * a message by itself, after what it had not read; see {@link LiveBuffer}.
 */
final class LiveLane extends SpinLock {
  private static final LiveReader[] NOBODY = {};
  private static final int LARGE = 64 * 1024;
  private static final VarHandle APPENDED;
  private static final VarHandle APPENDED_BYTES;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      APPENDED = lookup.findVarHandle(LiveLane.class, "appended", long.class);
      APPENDED_BYTES = lookup.findVarHandle(LiveLane.class, "appendedBytes", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private volatile LiveReader[] readers = NOBODY; // copied to change; under the lock, as all below
  private LiveReader[] apart = NOBODY; // copied to change
  private volatile int awaiting; // readers that wait to be told
  private LiveSlots last = new LiveSlots(LiveSlots.LEAST);
  private int used; // slots of the last ones
  private long appended; // readers look at it without the lock
  private long appendedBytes;
  private long limit; // no more than any attached reader has room for
  private long limitBytes;

  // ---- by publishers, under no lock

  /** Publishes to all; returns what the sender has to wait for. */
  CompletionStage<Void> publish(LiveMessage message, EmbeddedLink sender) {
    LiveReader[] others = message.expires == Times.NEVER ? append(message, sender) : readers;
    CompletionStage<Void> all = Parcel.DONE;
    for (LiveReader each : others) {
      LiveDelivery delivery = new LiveDelivery(each.source, message);
      all = Stages.both(all, each.source.publish(delivery, sender));
    }
    return all;
  }

  /** Appends a message, and returns those who do not get it by that. */
  private LiveReader[] append(LiveMessage message, EmbeddedLink sender) {
    LiveReader[] others = put(message, false);
    if (others == null) {
      for (LiveReader each : readers) {
        each.source.awaitRoom(sender);
      }
      others = put(message, true);
    }
    if (awaiting > 0) { // none that waited before the append is overlooked: it did so in the lock
      VarHandle.fullFence(); // one that looks out sees the message, or is not seen here
      for (LiveReader each : readers) {
        if (each.isAwaiting()) {
          each.source.wake();
        }
      }
    }
    return others == null ? NOBODY : others;
  }

  /**
   * Appends a message for all who have room for it.
   *
   * @param parts whether those without room stand apart from now on
   * @return those who stand apart; null if there are some without room, and nothing was done
   */
  private LiveReader @Nullable [] put(LiveMessage message, boolean parts) {
    lock();
    try {
      long sum = appendedBytes + message.bytes;
      if ((appended >= limit || sum > limitBytes) && !makeRoom(sum, parts)) {
        return null;
      }
      if (apart.length == readers.length) {
        return apart; // nobody would read it
      }
      if (used == last.items.length) {
        goOn(new LiveSlots(2 * used));
      }
      LiveSlots rest =
          message.bytes >= LARGE ? new LiveSlots(Math.max(LiveSlots.LEAST, used + 1)) : null;
      last.items[used++] = message;
      APPENDED_BYTES.setRelease(this, sum);
      APPENDED.setRelease(this, appended + 1);
      if (rest != null) {
        goOn(rest); // so that it does not stay in memory with those that follow
      }
      return apart;
    } finally {
      unlock();
    }
  }

  /** Looks how far the readers are by now. */
  private boolean makeRoom(long sum, boolean parts) {
    long most = Long.MAX_VALUE;
    long mostBytes = Long.MAX_VALUE;
    for (LiveReader each : readers) {
      if (each.isApart()) {
        continue;
      }
      long bound = each.limit();
      long boundBytes = each.limitBytes();
      if (appended < bound && sum <= boundBytes) {
        most = Math.min(most, bound);
        mostBytes = Math.min(mostBytes, boundBytes);
      } else if (parts) {
        part(each);
      } else {
        return false;
      }
    }
    limit = most;
    limitBytes = mostBytes;
    return true;
  }

  private void goOn(LiveSlots next) {
    last.next = next;
    last = next;
    used = 0;
  }

  private void part(LiveReader reader) {
    LiveReader[] more = with(apart, reader); // before anything changes: there may be no memory
    reader.part(appended, appendedBytes);
    apart = more;
    restIfUnread();
  }

  /** Keeps nothing in memory that nobody is going to read. */
  private void restIfUnread() {
    if (apart.length == readers.length) {
      rest();
    }
  }

  /** Lets go of the last slots, which the readers that are behind go on to read. */
  private void rest() {
    if (used > 0) {
      goOn(new LiveSlots(Math.max(LiveSlots.LEAST, used)));
    }
  }

  private static LiveReader[] with(LiveReader[] all, LiveReader reader) {
    LiveReader[] more = Arrays.copyOf(all, all.length + 1);
    more[all.length] = reader;
    return more;
  }

  private static LiveReader[] without(LiveReader[] all, LiveReader reader) {
    return Arrays.stream(all).filter(each -> each != reader).toArray(LiveReader[]::new);
  }

  // ---- by readers

  /** Lets a new reader have what is published from now on. */
  void add(LiveReader reader) {
    lock();
    try {
      LiveReader[] more = with(readers, reader);
      attach(reader); // before a publisher finds it
      readers = more;
    } finally {
      unlock();
    }
  }

  /** Removes a reader, which still reads what it has not read. */
  void remove(LiveReader reader) {
    lock();
    try {
      LiveReader[] others = without(readers, reader);
      LiveReader[] othersApart = without(apart, reader);
      if (!reader.isApart()) {
        reader.part(appended, appendedBytes);
      }
      setAwaiting(reader, false);
      reader.setGone();
      readers = others;
      apart = othersApart;
      restIfUnread();
    } finally {
      unlock();
    }
  }

  boolean isUnused() {
    return readers.length == 0;
  }

  /** Lets a reader have nothing that is published from now on. */
  void close(LiveReader reader) {
    lock();
    try {
      if (!reader.isApart()) {
        part(reader);
      }
    } finally {
      unlock();
    }
  }

  /** Lets a reader that has read all of its messages have those that are published from now on. */
  void open(LiveReader reader) {
    lock();
    try {
      if (!reader.isGone()) {
        apart = without(apart, reader);
        attach(reader);
      }
    } finally {
      unlock();
    }
  }

  private void attach(LiveReader reader) {
    reader.open(appended, appendedBytes, last, used);
    limit = Math.min(limit, reader.limit());
    limitBytes = Math.min(limitBytes, reader.limitBytes());
  }

  /**
   * Lets publishers tell of the next message, if a reader has nothing to read; else false. What it
   * has read it does not keep in memory any more.
   */
  boolean await(LiveReader reader) {
    lock();
    try {
      boolean empty = reader.isEmpty();
      setAwaiting(reader, empty && !reader.isGone());
      if (empty && !reader.isApart()) {
        rest();
        reader.moveTo(last, used);
      }
      return empty;
    } finally {
      unlock();
    }
  }

  void awaitNoMore(LiveReader reader) {
    lock();
    try {
      setAwaiting(reader, false);
    } finally {
      unlock();
    }
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // under the lock
  private void setAwaiting(LiveReader reader, boolean awaits) {
    if (awaits != reader.isAwaiting()) {
      reader.setAwaiting(awaits);
      awaiting += awaits ? 1 : -1;
    }
  }

  /** Returns how many messages were ever appended; they can be read. */
  long appended() {
    return (long) APPENDED.getAcquire(this);
  }

  long appendedBytes() {
    return (long) APPENDED_BYTES.getAcquire(this);
  }
}
