package dev.mullion.framing.tcp;

import dev.mullion.framing.tcp.Place.Request;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Frames that wait for room on a connection, in order. Any of them can be withdrawn. Guarded by the
 * lock of its {@link Outbound}.
 */
final class WaitingSends {
  /** The memory of a waiting frame besides its bytes: empty frames are bounded too. */
  private static final int COST = 64;

  private Set<PendingSend> sends = Set.of(); // made for the first that waits
  private long bytes;

  /** Their memory; may be read without a lock. */
  private volatile long memory;

  private int requests;

  /**
   * The number of frames sent by the event loop itself. Only the loop increases it, and may read it
   * without a lock.
   */
  private volatile int ofLoop;

  boolean isEmpty() {
    return sends.isEmpty();
  }

  int size() {
    return sends.size();
  }

  /** The bytes of their payloads. */
  long bytes() {
    return bytes;
  }

  long memory() {
    return memory;
  }

  int requests() {
    return requests;
  }

  int ofLoop() {
    return ofLoop;
  }

  /** Whether one more may wait. A single one always may. */
  boolean admits(int length, int most) {
    return sends.isEmpty() || bytes + (long) COST * sends.size() + length <= most;
  }

  void add(PendingSend send) {
    if (sends.isEmpty()) {
      sends = new LinkedHashSet<>();
    }
    sends.add(send);
    count(send, 1);
  }

  boolean remove(PendingSend send) {
    boolean removed = !sends.isEmpty() && sends.remove(send);
    if (removed) {
      count(send, -1);
    }
    return removed;
  }

  @SuppressWarnings("NonAtomicVolatileUpdate") // It is changed under the lock only.
  private void count(PendingSend send, int sign) {
    bytes += (long) sign * send.length;
    memory += (long) sign * (send.length + COST);
    if (send.place instanceof Request) {
      requests += sign;
    }
    if (send.ofLoop) {
      ofLoop += sign;
    }
  }

  /** Adds the requests among them to others. */
  void addRequests(List<Request> to) {
    for (PendingSend send : sends) {
      if (send.place instanceof Request request) {
        to.add(request);
      }
    }
  }

  /** Returns the frame that has waited longest, or {@code null}. */
  @Nullable
  PendingSend first() {
    return sends.isEmpty() ? null : sends.iterator().next();
  }

  /** Removes all frames that match. */
  List<PendingSend> removeAll(Predicate<PendingSend> such) {
    List<PendingSend> removed = new ArrayList<>();
    for (PendingSend send : sends) {
      if (such.test(send)) {
        removed.add(send);
      }
    }
    removed.forEach(this::remove);
    return removed;
  }
}
