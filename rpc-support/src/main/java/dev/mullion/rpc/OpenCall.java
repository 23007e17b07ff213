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
 * A call from its first bytes to its last. It is complete from the start but for its {@link
 * AcceptedCall}, which it gets once, after gRPC has accepted it. It may be cut, signalled and
 * watched before that too. The gRPC {@link Context} of the call carries it to whoever works for the
 * call.
 */
final class OpenCall {
  private static final Context.Key<OpenCall> KEY = Context.key("mullion-call");

  enum Kind {
    COUNTED,
    /** Of health or reflection. */
    UNCOUNTED,
    REFUSED
  }

  final Kind kind;

  /** Null in one process. */
  private final @Nullable PeerStream stream;

  private final Consumer<Status> cutStream;
  private final Callbacks callbacks;
  private final RpcCounters counters;
  private final Consumer<OpenCall> whenOver;

  private volatile @Nullable AcceptedCall<?, ?> accepted;

  /** With which the server ends it. */
  private final AtomicReference<@Nullable Status> ending = new AtomicReference<>();

  private volatile @Nullable Queue<Runnable> watchers;
  private @Nullable List<Runnable> whenStopping;
  private volatile boolean stopping;
  private volatile boolean over;

  /**
   * What keeps its place among {@code maxCalls}: the call, and a first turn that is out of reach.
   */
  private final AtomicInteger holders = new AtomicInteger(1);

  /**
   * Makes a call that begins.
   *
   * @param cutStream what ends it on the wire, behind what gRPC has been told before
   * @param whenOver what is told once, when it has ended
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

  /** Returns the call that the current thread works for. */
  static OpenCall current() {
    return KEY.get();
  }

  /** Returns the call that the current thread works for, if it does for one of a server here. */
  static @Nullable OpenCall currentOrNull() {
    return KEY.get();
  }

  /** Returns the context in which this is the current call. */
  Context in(Context context) {
    return context.withValue(KEY, this);
  }

  /**
   * Sets what the guard has put around it, once; ends that if the server has ended the call before.
   */
  void accept(AcceptedCall<?, ?> made) {
    accepted = made;
    Status status = ending.get();
    if (status != null) {
      cut(made.call(), status);
    }
  }

  /** Returns null until gRPC has accepted it. */
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

  /** Returns null if its events run on the event loop, or it is unary. */
  @Nullable
  StreamListener<?> streamListener() {
    AcceptedCall<?, ?> made = accepted;
    return made == null ? null : made.stream();
  }

  /** Returns an executor for it on threads that it may have to wait for. */
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

  /** Returns whether it has ended, for whatever reason. */
  boolean isOver() {
    return over;
  }

  /** Returns whether its service has ended it, well or not, and nobody did so in its place. */
  boolean isEndedByService() {
    GuardedCall<?, ?> guarded = guarded();
    return guarded != null && guarded.isEndedByService();
  }

  /** Returns whether the server has ended it, by itself or for its service. */
  boolean isEndedHere() {
    GuardedCall<?, ?> guarded = guarded();
    return kind == Kind.REFUSED || over || (guarded != null && guarded.isClosed());
  }

  /** Returns the status with which the server has ended it in its service's place. */
  @Nullable
  Status ended() {
    GuardedCall<?, ?> guarded = guarded();
    return guarded == null ? ending.get() : guarded.ended();
  }

  /** Runs something quick of ours on the timer, after a time. */
  Future<?> later(Runnable quick, long nanos) {
    return callbacks.later(quick, nanos);
  }

  /** Runs the user's code that belongs to no event, on a thread that it may hold. */
  void callback(Runnable task) {
    callbacks.run(task);
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

  boolean isStopping() {
    return stopping;
  }

  /** Adds what runs once when the server is to stop, at once if it is. */
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

  /** Tells it that the server is to stop. */
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

  /** Ends it with what somebody has thrown in its service's place. */
  void fail(Throwable thrown) {
    GuardedCall<?, ?> guarded = guarded();
    if (guarded != null) {
      guarded.fail(thrown);
    }
  }

  /** Ends it in its service's place; returns whether this was what ended it. */
  boolean end(Status status, Metadata trailers) {
    GuardedCall<?, ?> guarded = guarded();
    return guarded != null && guarded.end(status, trailers);
  }

  /**
   * Ends it now, also if its service has ended it and the peer has not taken all of it. Returns
   * whether it had not come to its end. One that is not accepted yet is ended when it is.
   */
  boolean cut(Status status) {
    boolean first = ending.compareAndSet(null, status);
    GuardedCall<?, ?> guarded = guarded();
    return !over && (guarded == null ? first : cut(guarded, status));
  }

  private boolean cut(GuardedCall<?, ?> guarded, Status status) {
    return guarded.cut(status, () -> cutStream.accept(status));
  }

  /** Called once, when gRPC or the transport says that it has ended. */
  void streamClosed(Status status) {
    AcceptedCall<?, ?> made = accepted;
    if (made != null) {
      made.call().transportFailed(status);
    }
    over = true;
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
    whenOver.accept(this);
    if (made != null && made.context() != null && !made.call().isEndedByService()) {
      made.context().cancel(status);
    }
    changed();
    release();
  }
}
