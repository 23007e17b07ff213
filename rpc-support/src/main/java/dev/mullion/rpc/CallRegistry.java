package dev.mullion.rpc;

import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Holds and counts a server's open calls, and rejects excess calls. {@link StreamTracers} reports
 * each call before a thread is used for it, and the end of each exactly once.
 */
final class CallRegistry {
  /**
   * How many more callbacks than {@code maxCalls} may be waiting before calls are rejected. Without
   * this limit their number would grow when clients cancel calls with a slow clean-up.
   */
  private static final int MORE_CALLBACKS = 256;

  /** A client with retries retries after this time, whatever statuses its policy has. */
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  final RpcCounters counters;
  private final int maxCalls;
  private final Set<String> uncountedServices;
  private final Callbacks callbacks;
  private final Set<OpenCall> open = ConcurrentHashMap.newKeySet();
  private volatile @Nullable Status stopping;
  private volatile boolean shut;

  CallRegistry(
      int maxCalls, Set<String> uncountedServices, RpcCounters counters, Callbacks callbacks) {
    this.maxCalls = maxCalls;
    this.uncountedServices = Set.copyOf(uncountedServices);
    this.counters = counters;
    this.callbacks = callbacks;
  }

  /**
   * Adds a starting call, unless it exceeds the limit.
   *
   * @param stream null in one process
   * @param cutStream ends the call on the wire
   */
  OpenCall begin(String fullMethodName, @Nullable PeerStream stream, Consumer<Status> cutStream) {
    OpenCall.Kind kind = admit(fullMethodName);
    OpenCall call = new OpenCall(kind, stream, cutStream, callbacks, counters, open::remove);
    if (kind == OpenCall.Kind.REFUSED) {
      return call;
    }
    open.add(call);
    Status status = stopping;
    if (status != null) {
      call.signal();
      if (shut || kind == OpenCall.Kind.UNCOUNTED) {
        call.cut(status);
      }
    }
    return call;
  }

  /** Counts a starting call, unless it is rejected or belongs to an uncounted service. */
  private OpenCall.Kind admit(String fullMethodName) {
    String service = fullMethodName.substring(0, Math.max(0, fullMethodName.lastIndexOf('/')));
    if (uncountedServices.contains(service)) {
      return OpenCall.Kind.UNCOUNTED;
    }
    if (counters.callsOpen.incrementAndGet() > maxCalls
        || callbacks.waiting() > (long) maxCalls + MORE_CALLBACKS) {
      counters.callsOpen.decrementAndGet();
      counters.callsRefused.increment();
      return OpenCall.Kind.REFUSED;
    }
    counters.callsStarted.increment();
    return OpenCall.Kind.COUNTED;
  }

  /** Returns the status of a call that exceeds the limit. */
  Status tooMany() {
    return Status.RESOURCE_EXHAUSTED.withDescription("too many calls, maxCalls " + maxCalls);
  }

  /** Returns trailers that ask clients to retry, at different moments. */
  static Metadata pushback() {
    Metadata trailers = new Metadata();
    trailers.put(PUSHBACK, String.valueOf(ThreadLocalRandom.current().nextInt(50, 151)));
    return trailers;
  }

  /**
   * Notifies all open calls that they should end, and ends current and future calls to health,
   * whose watches would otherwise last as long as their clients like.
   */
  void stop(Status status) {
    stopping = status;
    open.forEach(OpenCall::signal);
    endAll(OpenCall.Kind.UNCOUNTED, status);
  }

  /** Ends the calls that have waited longer for a thread. */
  void endWaiting(long nanos, Status status) {
    for (OpenCall each : open) {
      if (each.waitsLongerThan(nanos) && each.end(status, pushback())) {
        counters.callsWithoutThread.increment();
      }
    }
  }

  /** Returns whether a counted call is open. */
  boolean hasOpenCalls() {
    return open.stream().anyMatch(each -> each.kind == OpenCall.Kind.COUNTED);
  }

  /**
   * Closes the registry if no counted call is open, and returns whether it is closed. Calls that
   * arrive afterwards end with the status of the stop, which has begun.
   */
  boolean shutIfIdle() {
    shut = true;
    // A call is added to the open calls before it checks whether the registry is closed.
    shut = !hasOpenCalls();
    return shut;
  }

  /** Returns the call of a connection with the most pending bytes. */
  @Nullable
  OpenCall largestOf(PeerConnection connection) {
    OpenCall largest = null;
    long bytes = 0;
    for (OpenCall each : open) {
      PeerStream stream = each.stream();
      if (stream != null && stream.connection() == connection && stream.pending() > bytes) {
        bytes = stream.pending();
        largest = each;
      }
    }
    return largest;
  }

  /** Ends all open calls of a kind on behalf of their services, and returns their number. */
  int endAll(OpenCall.Kind kind, Status status) {
    int ended = 0;
    for (OpenCall each : open) {
      if (each.kind == kind && each.cut(status)) {
        ended++;
      }
    }
    return ended;
  }
}
