package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Counts the calls, and says which are too many. It is told of each call by {@link StreamTracers}, before
 * any thread is taken for it, and of the end of each exactly once.
 */
final class CallRegistry {
  /**
   * So many callbacks more than {@code maxCalls} may wait; then calls are refused. Else they would become
   * more and more when clients cancel calls whose clean-up is slow.
   */
  private static final int MORE_CALLBACKS = 256;

  private static final Context.Key<OpenCall> KEY = Context.key("mullion-call");

  final RpcCounters counters = new RpcCounters();
  private final int maxCalls;
  private final Set<String> uncountedServices;
  private final Set<OpenCall> open = ConcurrentHashMap.newKeySet();
  private volatile @Nullable Status stopping;
  private volatile boolean shut;

  /** Runs the user's code that belongs to no event of a call. */
  private volatile Executor callbacks = Runnable::run;

  private volatile @Nullable ScheduledExecutorService timer;

  /** How many callbacks of calls, also of those that are over, wait for a thread or run. */
  private final AtomicInteger callbacksWaiting = new AtomicInteger();

  CallRegistry(int maxCalls, Set<String> uncountedServices) {
    this.maxCalls = maxCalls;
    this.uncountedServices = Set.copyOf(uncountedServices);
  }

  void runOn(Executor callbacks, ScheduledExecutorService timer) {
    this.callbacks = callbacks;
    this.timer = timer;
  }

  /** Returns the call that the current thread works for. */
  static OpenCall current() {
    return KEY.get();
  }

  /** Returns the call that the current thread works for, if it does for one of a server here. */
  static @Nullable OpenCall currentOrNull() {
    return KEY.get();
  }

  /**
   * Tells all open calls that they should come to their end, and ends those of health, also those that
   * still come: to watch it lasts for as long as the client likes.
   */
  void stop(Status status) {
    stopping = status;
    open.forEach(OpenCall::signal);
    endAll(Kind.UNCOUNTED, status);
  }

  /** Ends the calls that have waited for a thread longer than that. */
  void endWaiting(long nanos, Status status) {
    for (OpenCall each : open) {
      if (each.waitsLongerThan(nanos)) {
        GuardedCall<?, ?> guarded = each.guarded();
        if (guarded != null && guarded.end(status, ServerGuard.pushback())) {
          counters.callsWithoutThread.increment();
        }
      }
    }
  }

  /** Returns whether a call that counts is open. */
  boolean hasOpenCalls() {
    return open.stream().anyMatch(each -> each.kind == Kind.COUNTED);
  }

  /**
   * Lets no more calls in if none is open, and returns whether that is so. One that comes from then on
   * ends with the status of the stop, which has begun.
   */
  boolean shutIfIdle() {
    shut = true;
    // A call is among the open ones before it looks whether this is shut.
    shut = !hasOpenCalls();
    return shut;
  }

  OpenCall newServerStreamTracer(String fullMethodName, Metadata headers) {
    String service = fullMethodName.substring(0, Math.max(0, fullMethodName.lastIndexOf('/')));
    if (uncountedServices.contains(service)) {
      return opened(Kind.UNCOUNTED);
    }
    if (counters.callsOpen.incrementAndGet() > maxCalls
        || callbacksWaiting.get() > (long) maxCalls + MORE_CALLBACKS) {
      counters.callsOpen.decrementAndGet();
      counters.callsRefused.increment();
      return new OpenCall(Kind.REFUSED);
    }
    counters.callsStarted.increment();
    return opened(Kind.COUNTED);
  }

  private OpenCall opened(Kind kind) {
    OpenCall call = new OpenCall(kind);
    open.add(call);
    Status status = stopping;
    if (status != null && (shut || kind == Kind.UNCOUNTED)) {
      call.cut(status);
    }
    return call;
  }

  /** Returns the call of a connection with most bytes that its peer has not taken. */
  @Nullable
  OpenCall largestOf(PeerConnection connection) {
    OpenCall largest = null;
    long bytes = 0;
    for (OpenCall each : open) {
      PeerStream stream = each.stream;
      if (stream != null && stream.connection() == connection && stream.pending() > bytes) {
        bytes = stream.pending();
        largest = each;
      }
    }
    return largest;
  }

  /** Ends all open calls of a kind in their services' place, and returns how many those were. */
  int endAll(Kind kind, Status status) {
    int ended = 0;
    for (OpenCall each : open) {
      if (each.kind == kind && each.cut(status)) {
        ended++;
      }
    }
    return ended;
  }

  enum Kind {
    COUNTED,
    /** Of health or reflection. */
    UNCOUNTED,
    REFUSED
  }

  /** A call from its first bytes to its last. */
  final class OpenCall {
    final Kind kind;

    /** Null in one process. */
    private volatile @Nullable PeerStream stream;

    private volatile StreamTracers.@Nullable TracedStream tracked;

    private volatile @Nullable GuardedCall<?, ?> call;
    private volatile @Nullable Status ending;
    private volatile @Nullable StreamListener<?> streamListener;
    private volatile @Nullable Queue<Runnable> watchers;
    private @Nullable List<Runnable> whenStopping;
    private volatile @Nullable FirstTurn turn;
    private volatile boolean over;

    /** What keeps its place among {@code maxCalls}: the call, and a first turn that is out of reach. */
    private final AtomicInteger holders = new AtomicInteger(1);

    private OpenCall(Kind kind) {
      this.kind = kind;
    }

    void guardedBy(GuardedCall<?, ?> guarded) {
      call = guarded;
      guarded.whenEnded(this::changed);
      Status status = ending;
      if (status != null) {
        cut(guarded, status);
      }
    }

    void on(StreamTracers.TracedStream its, @Nullable PeerStream where) {
      tracked = its;
      stream = where;
    }

    @Nullable
    PeerStream stream() {
      return stream;
    }

    /** Returns null until it is under guard. */
    @Nullable
    GuardedCall<?, ?> guarded() {
      return call;
    }

    /** Ends it with what somebody has thrown in its service's place. */
    void fail(Throwable thrown) {
      GuardedCall<?, ?> guarded = call;
      if (guarded != null) {
        guarded.fail(thrown);
      }
    }

    /** Returns an executor on threads that it may have to wait for. */
    Executor on(Executor threads) {
      boolean outOfReach = CallThreads.isOutOfReach(threads);
      if (outOfReach) {
        holders.incrementAndGet();
      }
      FirstTurn first =
          new FirstTurn(threads, counters.callsWaiting, outOfReach ? this::release : () -> {});
      turn = first;
      return first;
    }

    boolean waitsLongerThan(long nanos) {
      FirstTurn waiting = turn;
      return waiting != null && waiting.waitsLongerThan(nanos);
    }

    private void release() {
      if (holders.decrementAndGet() == 0 && kind == Kind.COUNTED) {
        counters.callsOpen.decrementAndGet();
      }
    }

    /** Returns whether it has ended, for whatever reason. */
    boolean isOver() {
      return over;
    }

    void runIn(StreamListener<?> stream) {
      streamListener = stream;
    }

    /** Returns null if its events run on the event loop, or it is unary. */
    @Nullable
    StreamListener<?> streamListener() {
      return streamListener;
    }

    /** Runs what is quick on the timer, after a time. */
    Future<?> later(Runnable quick, long nanos) {
      return requireNonNull(timer).schedule(quick, nanos, NANOSECONDS);
    }

    boolean isStopping() {
      return stopping != null;
    }

    /** Returns the status with which the server has ended it in its service's place. */
    @Nullable
    Status ended() {
      GuardedCall<?, ?> guarded = call;
      return guarded == null ? ending : guarded.ended();
    }

    /**
     * Adds one that is told when the peer catches up, the call ends, or the server is to stop, by the
     * thread that brings the news, which may be an event loop.
     */
    synchronized void watch(Runnable added) {
      Queue<Runnable> all = watchers;
      if (all == null) {
        all = new ConcurrentLinkedQueue<>();
        watchers = all;
      }
      all.add(added);
    }

    void changed() {
      Queue<Runnable> all = watchers;
      if (all != null) {
        all.forEach(CallExecutor::run);
      }
    }

    /** Adds what runs once when the server is to stop, at once if it is. */
    void whenStopping(Runnable added) {
      synchronized (this) {
        if (stopping == null) {
          List<Runnable> all = whenStopping == null ? new ArrayList<>() : whenStopping;
          all.add(added);
          whenStopping = all;
          return;
        }
      }
      callback(added);
    }

    /** Tells it that the server is to stop. */
    private void signal() {
      List<Runnable> all;
      synchronized (this) {
        all = whenStopping == null ? List.of() : whenStopping;
        whenStopping = null;
      }
      all.forEach(this::callback);
      changed();
    }

    /** Runs the user's code that belongs to no event, on a thread that it may hold. */
    void callback(Runnable task) {
      callbacksWaiting.incrementAndGet();
      boolean taken = false;
      try {
        callbacks.execute(() -> {
          try {
            CallExecutor.run(task);
          } finally {
            callbacksWaiting.decrementAndGet();
          }
        });
        taken = true;
      } finally {
        if (!taken) {
          callbacksWaiting.decrementAndGet();
        }
      }
    }

    /** Returns whether the server has ended it, by itself or for its service. */
    boolean isEndedHere() {
      GuardedCall<?, ?> guarded = call;
      return kind == Kind.REFUSED || over || (guarded != null && guarded.isClosed());
    }

    /**
     * Ends it now, also if its service has ended it and the peer has not taken all of it. Returns whether
     * it had not come to its end. One that is not under guard yet is ended when it is.
     */
    boolean cut(Status status) {
      ending = status;
      GuardedCall<?, ?> guarded = call;
      return !over && (guarded == null || cut(guarded, status));
    }

    private boolean cut(GuardedCall<?, ?> guarded, Status status) {
      return guarded.cut(status, () -> {
        PeerStream where = stream;
        StreamTracers.TracedStream its = tracked;
        if (where != null) {
          where.cut(status);
        } else if (its != null) {
          // What the peer has not taken stays with it, in this process.
          its.end(status);
        }
      });
    }

    Context filterContext(Context context) {
      return context.withValue(KEY, this);
    }

    void streamClosed(Status status) {
      GuardedCall<?, ?> guarded = call;
      if (guarded != null) {
        guarded.transportFailed(status);
      }
      over = true;
      if (kind == Kind.COUNTED) {
        counters.ended(status.getCode());
      }
      FirstTurn waiting = turn;
      if (waiting != null) {
        waiting.skip();
      }
      PeerStream where = stream;
      if (where != null) {
        where.drain();
      }
      open.remove(this);
      if (guarded != null && !guarded.isEndedByService()) {
        guarded.cancelContext(status);
      }
      changed();
      release();
    }
  }
}
