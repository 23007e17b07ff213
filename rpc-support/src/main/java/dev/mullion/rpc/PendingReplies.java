package dev.mullion.rpc;

import io.grpc.Status;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Limits the bytes of replies that are pending for a server's peers, over all calls. Beyond the
 * limit a call of the connection with the most pending bytes ends, so that peers that do not read
 * take no memory from those that do.
 */
final class PendingReplies {
  private final long max;
  private final CallRegistry registry;
  private final RpcCounters counters;
  private final Set<PeerConnection> connections = ConcurrentHashMap.newKeySet();

  PendingReplies(long max, CallRegistry registry) {
    this.max = max;
    this.registry = registry;
    this.counters = registry.counters;
  }

  /** Returns a quarter of the heap, or of direct memory if that is less. */
  static long defaultMax(long maxHeap, long maxDirect) {
    return Math.max(1, Math.min(maxHeap, maxDirect <= 0 ? maxHeap : maxDirect) / 4);
  }

  void opened(PeerConnection connection) {
    connections.add(connection);
  }

  void closed(PeerConnection connection) {
    connections.remove(connection);
  }

  void add(long bytes) {
    counters.replyBytesPending.addAndGet(bytes);
  }

  /** Ends a call because the limit is reached. */
  void end(OpenCall call) {
    if (call.cut(Status.RESOURCE_EXHAUSTED.withDescription(
        "too many bytes of replies pending, maxPendingReplyBytes " + max))) {
      counters.repliesRefused.increment();
    }
  }

  /**
   * Returns how many bytes of one call may be pending before its client counts as behind. Without
   * this, a call that writes only when it is ready could reach the limit alone, although its client
   * reads.
   */
  int room() {
    return (int) Math.max(1, Math.min(Integer.MAX_VALUE, max / 2));
  }

  /**
   * Counts the bytes of a call's next message, and returns whether the call may send it. It may not
   * if the limit is exceeded and its own connection has the most pending bytes. A message of any
   * size may be sent if no other call has pending bytes and its own client is not behind.
   */
  boolean admit(PeerStream stream, long bytes) {
    long before = stream.pending();
    stream.add(bytes);
    long bound = Math.max(max, before < room() ? before + bytes : bytes);
    AtomicLong total = counters.replyBytesPending;
    while (total.get() > bound) {
      PeerConnection most = holdsMoreThan(stream.connection());
      OpenCall largest = most == null ? null : registry.largestOf(most);
      PeerStream place = largest == null ? null : largest.stream();
      if (largest == null || place == null) {
        stream.add(-bytes);
        return false;
      }
      place.drain();
      end(largest);
    }
    return true;
  }

  /**
   * Returns the other connection with the most pending bytes, or null if all have fewer than this
   * one.
   */
  private @Nullable PeerConnection holdsMoreThan(PeerConnection own) {
    PeerConnection most = null;
    long bytes = own.pending().get();
    for (PeerConnection each : connections) {
      long held = each.pending().get();
      if (each != own && (held > bytes || (most == null && held == bytes))) {
        bytes = held;
        most = each;
      }
    }
    return most;
  }
}
