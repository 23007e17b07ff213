package dev.mullion.rpc;

import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Holds a server's open calls, counts them, and says which are too many. {@link StreamTracers}
 * tells it of each call before any thread is taken for it, and of the end of each exactly once.
 */
final class CallRegistry {
  /**
   * So many callbacks more than {@code maxCalls} may wait; then calls are refused. Else they would
   * become more and more when clients cancel calls whose clean-up is slow.
   */
  private static final int MORE_CALLBACKS = 256;

  /** A client that retries does so after this time, whatever its policy says of the status. */
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
   * Adds a call that begins, unless it is one too many.
   *
   * @param stream null in one process
   * @param cutStream what ends it on the wire
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

  /** Counts a call that begins, unless it is refused or none that counts. */
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

  /** Returns the status of a call that is one too many. */
  Status tooMany() {
    return Status.RESOURCE_EXHAUSTED.withDescription("too many calls, maxCalls " + maxCalls);
  }

  /** Returns trailers that tell a client to come again, but not all of them at the same moment. */
  static Metadata pushback() {
    Metadata trailers = new Metadata();
    trailers.put(PUSHBACK, String.valueOf(ThreadLocalRandom.current().nextInt(50, 151)));
    return trailers;
  }

  /**
   * Tells all open calls that they should come to their end, and ends those of health, also those
   * that still come: to watch it lasts for as long as the client likes.
   */
  void stop(Status status) {
    stopping = status;
    open.forEach(OpenCall::signal);
    endAll(OpenCall.Kind.UNCOUNTED, status);
  }

  /** Ends the calls that have waited for a thread longer than that. */
  void endWaiting(long nanos, Status status) {
    for (OpenCall each : open) {
      if (each.waitsLongerThan(nanos) && each.end(status, pushback())) {
        counters.callsWithoutThread.increment();
      }
    }
  }

  /** Returns whether a call that counts is open. */
  boolean hasOpenCalls() {
    return open.stream().anyMatch(each -> each.kind == OpenCall.Kind.COUNTED);
  }

  /**
   * Lets no more calls in if none is open, and returns whether that is so. One that comes from then
   * on ends with the status of the stop, which has begun.
   */
  boolean shutIfIdle() {
    shut = true;
    // A call is among the open ones before it looks whether this is shut.
    shut = !hasOpenCalls();
    return shut;
  }

  /** Returns the call of a connection with most bytes that its peer has not taken. */
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

  /** Ends all open calls of a kind in their services' place, and returns how many those were. */
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
