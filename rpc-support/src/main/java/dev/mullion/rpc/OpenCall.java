package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A call from its first bytes to its last. It is complete from the start except for its {@link
 * AcceptedCall}, which is set once, after gRPC has accepted the call. It may be cancelled,
 * signalled and watched before that. The gRPC {@link Context} of the call carries it to the code
 * that runs for the call.
 */
final class OpenCall {
  private static final Context.Key<OpenCall> KEY = Context.key("mullion-call");

  enum Kind {
    COUNTED,
    /** A call to health or reflection. */
    UNCOUNTED,
    REFUSED
  }

  final Kind kind;

  /** Null for in-process calls. */
  private final @Nullable PeerStream stream;

  private final Consumer<Status> cutStream;
  private final Callbacks callbacks;
  private final RpcCounters counters;
  private final Consumer<OpenCall> whenOver;

  private volatile @Nullable AcceptedCall<?, ?> accepted;

  /** The status with which the server ends the call. */
  private final AtomicReference<@Nullable Status> ending = new AtomicReference<>();

  private volatile @Nullable Queue<Runnable> watchers;
  private volatile @Nullable Runnable whenReady;
  private @Nullable List<Runnable> whenStopping;
  private volatile boolean stopping;
  private volatile boolean over;

  /**
   * The holders of the call's place among {@code maxCalls}: the call, and a queued task that cannot
   * be removed from its executor.
   */
  private final AtomicInteger holders = new AtomicInteger(1);

  /**
   * Creates a starting call.
   *
   * @param cutStream ends the call on the wire, after everything passed to gRPC before
   * @param whenOver runs once, when the call has ended
   */
  OpenCall(
      Kind kind,
      @Nullable PeerStream stream,
      Consumer<Status> cutStream,
      Callbacks callbacks,
      RpcCounters counters,
      Consumer<OpenCall> whenOver) {
    this.kind = kind;
    this.stream = stream;
    this.cutStream = cutStream;
    this.callbacks = callbacks;
    this.counters = counters;
    this.whenOver = whenOver;
  }

  /** Returns the call that the current thread runs. */
  static OpenCall current() {
    return KEY.get();
  }

  /** Returns the server call that the current thread runs, or null. */
  static @Nullable OpenCall currentOrNull() {
    return KEY.get();
  }

  /** Returns a context in which this is the current call. */
  Context in(Context context) {
    return context.withValue(KEY, this);
  }

  /** Sets the guarded call, once, and ends it if the server has already ended this call. */
  void accept(AcceptedCall<?, ?> made) {
    accepted = made;
    Status status = ending.get();
    if (status != null) {
      cut(made.call(), status);
    }
  }

  /** Returns null until gRPC has accepted the call. */
  @Nullable
  AcceptedCall<?, ?> accepted() {
    return accepted;
  }

  private @Nullable GuardedCall<?, ?> guarded() {
    AcceptedCall<?, ?> made = accepted;
    return made == null ? null : made.call();
  }

  private @Nullable FirstTurn turn() {
    AcceptedCall<?, ?> made = accepted;
    return made == null ? null : made.turn();
  }

  @Nullable
  PeerStream stream() {
    return stream;
  }

  /** Returns null if the call's events run on the event loop, or if it is unary. */
  @Nullable
  StreamListener<?> streamListener() {
    AcceptedCall<?, ?> made = accepted;
    return made == null ? null : made.stream();
  }

  /** Returns an executor for the call, on threads that it may have to wait for. */
  FirstTurn newTurn(Executor threads) {
    boolean outOfReach = CallThreads.isOutOfReach(threads);
    if (outOfReach) {
      holders.incrementAndGet();
    }
    return new FirstTurn(threads, counters.callsWaiting, outOfReach ? this::release : () -> {});
  }

  boolean waitsLongerThan(long nanos) {
    FirstTurn waiting = turn();
    return waiting != null && waiting.waitsLongerThan(nanos);
  }

  private void release() {
    if (holders.decrementAndGet() == 0 && kind == Kind.COUNTED) {
      counters.callsOpen.decrementAndGet();
    }
  }

  /** Returns whether the call has ended, for whatever reason. */
  boolean isOver() {
    return over;
  }

  /** Returns whether the service itself ended the call, with whatever status. */
  boolean isEndedByService() {
    GuardedCall<?, ?> guarded = guarded();
    return guarded != null && guarded.isEndedByService();
  }

  /** Returns whether the service or the server has ended the call. */
  boolean isEndedHere() {
    GuardedCall<?, ?> guarded = guarded();
    return kind == Kind.REFUSED || over || (guarded != null && guarded.isClosed());
  }

  /** Returns the status with which the server ended the call on behalf of its service. */
  @Nullable
  Status ended() {
    GuardedCall<?, ?> guarded = guarded();
    return guarded == null ? ending.get() : guarded.ended();
  }

  /** Runs a short internal task on the timer after a delay. */
  Future<?> later(Runnable quick, long nanos) {
    return callbacks.later(quick, nanos);
  }

  /** Runs a user's callback on a thread that it may block. */
  void callback(Runnable task) {
    callbacks.run(task);
  }

  /**
   * Adds a watcher that runs when the peer catches up, the call ends, or the server is stopping. It
   * runs on the thread that detects this, which may be an event loop.
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

  /** Sets what runs on the event loop when the transport becomes ready. */
  void whenReady(Runnable quick) {
    whenReady = quick;
  }

  /** Returns null if an event of the call is to be told. */
  @Nullable
  Runnable whenReady() {
    return whenReady;
  }

  boolean isStopping() {
    return stopping;
  }

  /** Adds a callback that runs once when the server stops, or at once if it is stopping. */
  void whenStopping(Runnable added) {
    synchronized (this) {
      if (!stopping) {
        List<Runnable> all = whenStopping == null ? new ArrayList<>() : whenStopping;
        all.add(added);
        whenStopping = all;
        return;
      }
    }
    callback(added);
  }

  /** Notifies the call that the server is stopping. */
  void signal() {
    List<Runnable> all;
    synchronized (this) {
      stopping = true;
      all = whenStopping == null ? List.of() : whenStopping;
      whenStopping = null;
    }
    all.forEach(this::callback);
    changed();
  }

  /** Ends the call with an exception, on behalf of its service. */
  void fail(Throwable thrown) {
    GuardedCall<?, ?> guarded = guarded();
    if (guarded != null) {
      guarded.fail(thrown);
    }
  }

  /** Ends the call on behalf of its service; returns whether this ended it. */
  boolean end(Status status, Metadata trailers) {
    GuardedCall<?, ?> guarded = guarded();
    return guarded != null && guarded.end(status, trailers);
  }

  /**
   * Ends the call now, even if its service has ended it but the peer has not read all of it.
   * Returns whether the call was still open. A call that is not accepted yet is ended when it is.
   */
  boolean cut(Status status) {
    boolean first = ending.compareAndSet(null, status);
    GuardedCall<?, ?> guarded = guarded();
    return !over && (guarded == null ? first : cut(guarded, status));
  }

  private boolean cut(GuardedCall<?, ?> guarded, Status status) {
    return guarded.cut(status, () -> cutStream.accept(status));
  }

  /**
   * Called once, when gRPC or the transport reports the end of the call. The call gives its place
   * back even if a step fails.
   */
  void streamClosed(Status status) {
    AcceptedCall<?, ?> made = accepted;
    try {
      if (made != null) {
        made.call().transportFailed(status);
      }
    } finally {
      over = true;
      closed(made, status);
    }
  }

  private void closed(@Nullable AcceptedCall<?, ?> made, Status status) {
    try {
      if (kind == Kind.COUNTED) {
        counters.ended(status.getCode());
      }
      FirstTurn waiting = turn();
      if (waiting != null) {
        waiting.skip();
      }
      if (stream != null) {
        stream.drain();
      }
      if (made != null && made.context() != null && !made.call().isEndedByService()) {
        made.context().cancel(status);
      }
    } finally {
      whenOver.accept(this);
      changed();
      release();
    }
  }
}
