package dev.mullion.rpc;

import io.grpc.Status;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Bounds the bytes of replies that wait for a server's peers, over all calls. Beyond the bound a
 * call of the connection that holds most ends, so that peers that do not read take nothing from
 * those that do.
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

  /** Returns a quarter of what replies may wait in: the heap, or direct memory if that is less. */
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

  /** Ends a call for which there is no room. */
  void end(OpenCall call) {
    if (call.cut(Status.RESOURCE_EXHAUSTED.withDescription(
        "too many bytes of replies wait for clients, maxPendingReplyBytes " + max))) {
      counters.repliesRefused.increment();
    }
  }

  /**
   * Returns how many bytes of one call may wait before it counts as behind: a call that writes only
   * when it is ready would else reach the bound by itself, although its client reads.
   */
  int room() {
    return (int) Math.max(1, Math.min(Integer.MAX_VALUE, max / 2));
  }

  /**
   * Counts bytes that a call is to send, and returns whether it may: it may not if its own
   * connection holds most. A message goes whatever its size if no other call's wait, and its call
   * was not behind.
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

  /** Returns the connection that holds most, of those that hold as much as this one or more. */
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
