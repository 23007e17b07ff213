package dev.mullion.messaging.grpc;

import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import dev.mullion.messaging.grpc.v1.Settled;
import dev.mullion.messaging.grpc.v1.Settlement;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Answers without an error that wait to be written: the ids alone. One frame stands for all that
 * wait when the stream takes one.
 */
final class PackedAnswers {
  /** What an id takes in memory, roughly. */
  private static final int ID_BYTES = 48;

  /** The greatest number in one frame. */
  private static final int MOST = 4096;

  private final Queue<Long> done = new ConcurrentLinkedQueue<>();
  private final Queue<Long> applied = new ConcurrentLinkedQueue<>();
  private final AtomicLong waiting = new AtomicLong();

  /** Adds the answer to a frame of the client. */
  void done(long id) {
    waiting.incrementAndGet();
    done.add(id);
  }

  /** Adds an outcome that the engine has applied. */
  void applied(long delivery) {
    waiting.incrementAndGet();
    applied.add(delivery);
  }

  /** Returns the size of what waits, in memory. */
  long waitingBytes() {
    return waiting.get() * ID_BYTES;
  }

  boolean isEmpty() {
    return done.isEmpty() && applied.isEmpty();
  }

  /** Returns a frame with what waits, or null. Called by the thread that writes. */
  @Nullable
  ServerFrame poll() {
    Long first = done.poll();
    if (first != null) {
      return ServerFrame.newBuilder().setDone(done(first)).build();
    }
    first = applied.poll();
    return first == null
        ? null
        : ServerFrame.newBuilder().setSettled(applied(first)).build();
  }

  private Done.Builder done(Long first) {
    Done.Builder frame = Done.newBuilder().setId(first);
    int count = 1;
    for (Long id = done.poll(); id != null; id = ++count < MOST ? done.poll() : null) {
      frame.addMoreIds(id);
    }
    waiting.addAndGet(-count);
    return frame;
  }

  private Settled.Builder applied(Long first) {
    Settled.Builder frame =
        Settled.newBuilder().setDelivery(first).setSettlement(Settlement.SETTLEMENT_APPLIED);
    int count = 1;
    for (Long id = applied.poll(); id != null; id = ++count < MOST ? applied.poll() : null) {
      frame.addMoreDeliveries(id);
    }
    waiting.addAndGet(-count);
    return frame;
  }
}
