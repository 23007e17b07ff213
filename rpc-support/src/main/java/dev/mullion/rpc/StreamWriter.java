package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.CallStreamObserver;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Writes the messages of a stream, and waits while the peer is behind: what the transport holds of
 * them is at most {@link #DEFAULT_BUFFER} bytes, and one message. A service makes one of the
 * observer that it is called with, for a stream of replies; a {@link ClientStream} has one for its
 * requests.
 *
 * <pre>{@code
 * StreamWriter<HelloReply> replies = StreamWriter.of(observer);
 * for (String name : names) {
 *   replies.write(HelloReply.newBuilder().setMessage("Hello, " + name + "!").build());
 * }
 * replies.complete();
 * }</pre>
 *
 * <p>Once the call has ended otherwise, by its client, a timeout or the server, writes fail with a
 * {@link StatusRuntimeException} that says so. {@link RpcMethod} completes and fails streams by
 * itself.
 *
 * <p>Any thread may call any method. Callbacks of a server's run on threads of its own for them,
 * beside the service's method, and may block; those of a client on its channel's threads. With
 * {@code directExecutor} what hangs on {@link #writeAsync} runs on the event loop, where the peer's
 * news comes.
 */
public final class StreamWriter<T> {
  /** How many bytes wait for the peer before writes do, unless told otherwise: 256 KiB. */
  public static final int DEFAULT_BUFFER = 256 * 1024;

  private record Waiting<T>(T message, CompletableFuture<Void> written) {}

  private final CallStreamObserver<T> observer;
  private final WrittenCall call;
  private final AtomicBoolean finished = new AtomicBoolean();
  private final AtomicReference<@Nullable Waiting<T>> waiting = new AtomicReference<>();

  /** The end of the stream, which the thread sends that has the turn. */
  private final AtomicReference<@Nullable Runnable> end = new AtomicReference<>();

  private final SendTurn turn = new SendTurn();

  /** Used by the thread that has the turn. */
  private boolean endSent;

  private final Queue<Runnable> onCancelled = new ConcurrentLinkedQueue<>();
  private final Queue<Runnable> onStopping = new ConcurrentLinkedQueue<>();

  StreamWriter(CallStreamObserver<T> observer, WrittenCall call) {
    this.observer = observer;
    this.call = call;
  }

  /**
   * Returns a writer of the replies of the call that the current thread works for. To be called in
   * the service's method, before it returns.
   *
   * @throws IllegalStateException if this is not such a call of an {@link RpcServer}
   */
  public static <T> StreamWriter<T> of(StreamObserver<T> replies) {
    return of(replies, DEFAULT_BUFFER);
  }

  /**
   * Returns a writer of replies that lets so many bytes wait for the peer before writes do.
   *
   * @throws IllegalStateException if this is not a call of an {@link RpcServer}
   */
  public static <T> StreamWriter<T> of(StreamObserver<T> replies, int buffer) {
    Check.within(buffer, 1, Integer.MAX_VALUE, "buffer");
    OpenCall open = OpenCall.currentOrNull();
    if (open == null
        || !(requireNonNull(replies, "replies") instanceof ServerCallStreamObserver<T> observer)) {
      throw new IllegalStateException("no call of an RpcServer on this thread"
          + " (expected: the observer of a service's method, inside that method)");
    }
    observer.setOnReadyThreshold(buffer);
    StreamWriter<T> writer = new StreamWriter<>(observer, new ServedCall(open, observer));
    // Who waits in the call itself hears of it through the first only, on an event loop through the
    // others.
    open.watch(writer::wake);
    observer.setOnReadyHandler(open.streamListener() == null ? writer::goOn : writer::wake);
    observer.setOnCancelHandler(writer::wake);
    return writer;
  }

  /**
   * Writes a message, and waits before that while the peer is behind.
   *
   * @throws StatusRuntimeException if the call has ended otherwise; with {@code CANCELLED} if the
   *     thread is interrupted, which it stays
   * @throws IllegalStateException if the stream is finished, or this is an event loop, which may
   *     not wait
   */
  public void write(T message) {
    requireNonNull(message, "message");
    if (call.mayNotWait()) {
      throw new IllegalStateException("write on an event loop, which may not wait"
          + " (expected: writeAsync, or a server without directExecutor)");
    }
    while (true) {
      long seen = turn.news();
      if (waiting.get() != null) {
        // That one was first.
        retry();
      }
      checkOpen();
      if ((waiting.get() == null || turn.isMine()) && trySend(message)) {
        return;
      }
      awaitAfter(seen);
    }
  }

  private boolean trySend(T message) {
    if (!observer.isReady() || !turn.take()) {
      return false;
    }
    try {
      return send(message);
    } finally {
      leave();
    }
  }

  /**
   * Writes a message as soon as the peer is not behind. One may wait like this at a time.
   *
   * @return a stage that completes when the message is written, and the next one may be; it fails
   *     with a {@link StatusRuntimeException} if the call has ended otherwise, and with an {@link
   *     IllegalStateException} if the stream is finished or another message waits
   */
  public CompletionStage<Void> writeAsync(T message) {
    Waiting<T> next = new Waiting<>(requireNonNull(message, "message"), new CompletableFuture<>());
    if (!waiting.compareAndSet(null, next)) {
      return CompletableFuture.failedFuture(new IllegalStateException(
          "a message waits for the peer (expected: none, the last stage is complete)"));
    }
    retry();
    return next.written();
  }

  /**
   * Writes messages, each as soon as the peer is not behind and no other one waits. They are asked
   * for on this thread first, and then where callbacks run.
   *
   * @return a stage that completes when all are written, which leaves the stream open; it fails as
   *     with {@link #writeAsync}, or with what the iterator throws
   */
  public CompletionStage<Void> writeAllAsync(Iterator<? extends T> messages) {
    CompletableFuture<Void> all = new CompletableFuture<>();
    AllWrites.next(this, requireNonNull(messages, "messages"), all);
    return all;
  }

  /** Called on an event loop that runs services, where what hangs on a write runs too. */
  private void goOn() {
    retry();
    wake();
  }

  /** Sends what waits, if that is possible by now; or the thread does that is sending. */
  private void retry() {
    if (turn.takeOrAsk()) {
      leave();
    }
  }

  /** Sends what waits, also what comes meanwhile, and gives the turn back. */
  private void leave() {
    if (turn.giveBackInside()) {
      return;
    }
    List<Runnable> outcomes = List.of();
    do {
      Runnable outcome = attempt();
      if (outcome != null) {
        outcomes = outcomes.isEmpty() ? new ArrayList<>() : outcomes;
        outcomes.add(outcome);
      }
      Runnable last = end.getAndSet(null);
      if (last != null) {
        last.run();
      }
    } while (!turn.giveBack());
    // What comes of it may take any time.
    outcomes.forEach(Runnable::run);
  }

  private @Nullable Runnable attempt() {
    Waiting<T> next = waiting.get();
    if (next == null) {
      return null;
    }
    try {
      if (!sendWaiting(next.message())) {
        return null;
      }
      waiting.set(null);
      return () -> next.written().complete(null);
    } catch (Throwable over) {
      waiting.set(null);
      return () -> next.written().completeExceptionally(over);
    }
  }

  /** It came before the end, but that does not wait for the peer. */
  private boolean sendWaiting(T message) {
    boolean ready = over() == null && !endSent && observer.isReady();
    if (ready) {
      observer.onNext(message);
    } else {
      checkOpen();
    }
    return ready;
  }

  /** Returns whether nothing more can be written since the call has ended otherwise. */
  public boolean isCancelled() {
    return over() != null;
  }

  /** What this writer has ended itself has not ended otherwise. */
  private @Nullable Status over() {
    Status over = call.over();
    return over == null && call.isEndedByService() && !finished.get()
        ? Status.CANCELLED.withDescription("the service has ended the call")
        : over;
  }

  /**
   * Adds what runs once the call has ended otherwise than by this writer; at once if it has. To
   * stop what makes the messages, while no write is there to fail.
   */
  public void onCancelled(Runnable callback) {
    add(onCancelled, requireNonNull(callback, "callback"));
  }

  /** Returns whether the server is to stop, so that a long stream should come to its end. */
  public boolean isStopping() {
    return call.isStopping();
  }

  /**
   * Adds what runs once the server is to stop; at once if it is. There is then still the time of
   * the stop for last messages; after it the call is cut.
   */
  public void onStopping(Runnable callback) {
    add(onStopping, requireNonNull(callback, "callback"));
  }

  private void add(Queue<Runnable> callbacks, Runnable callback) {
    callbacks.add(callback);
    wake();
  }

  /**
   * Ends the stream well, once; if the call has ended otherwise, that stays.
   *
   * @throws IllegalStateException if the stream is finished
   */
  public void complete() {
    finishOnce(observer::onCompleted);
  }

  /**
   * Ends the stream with an error, once; if the call has ended otherwise, that stays. On a server
   * {@code mapException} says what the client sees.
   *
   * @throws IllegalStateException if the stream is finished
   */
  public void fail(Throwable error) {
    requireNonNull(error, "error");
    Throwable given = observer instanceof ServerCallStreamObserver<T>
        ? ExceptionMapping.toBeMapped(error)
        : error;
    finishOnce(() -> observer.onError(given));
  }

  private void finishOnce(Runnable last) {
    if (!finish(last)) {
      throw new IllegalStateException("the stream is finished (expected: complete or fail once)");
    }
  }

  CallStreamObserver<T> observer() {
    return observer;
  }

  /**
   * Ends the stream unless it is finished, and returns whether it was not. While another thread
   * sends, that one also sends the end, behind its message.
   */
  boolean finish(Runnable last) {
    if (!finished.compareAndSet(false, true)) {
      return false;
    }
    turn.tell();
    AtomicReference<@Nullable Throwable> failed = new AtomicReference<>();
    end.set(() -> sendEnd(last, failed));
    retry();
    Throwable thrown = failed.get();
    if (thrown != null) {
      UnsentMessage.<RuntimeException>sneak(thrown);
    }
    return true;
  }

  private void sendEnd(Runnable last, AtomicReference<@Nullable Throwable> failed) {
    endSent = true;
    try {
      if (call.over() == null && !call.isEndedByService()) {
        last.run();
      }
    } catch (Throwable thrown) {
      // That of an interceptor, for instance. Nobody can end the stream by its writer any more.
      failed.set(thrown);
      CallExecutor.run(() -> call.failed(thrown));
    } finally {
      CallExecutor.run(this::wake);
    }
  }

  private void checkOpen() {
    Status over = over();
    if (over != null) {
      throw over.asRuntimeException();
    }
    if (finished.get()) {
      throw new IllegalStateException("the stream is finished (expected: write before that)");
    }
  }

  /**
   * Sends a message unless the peer is behind, and returns whether it has. To be called in its
   * turn.
   */
  private boolean send(T message) {
    checkOpen();
    if (!observer.isReady()) {
      return false;
    }
    observer.onNext(message);
    return true;
  }

  private void awaitAfter(long seen) {
    try {
      turn.awaitAfter(seen);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Status.CANCELLED
          .withDescription("interrupted while the peer is behind")
          .withCause(e)
          .asRuntimeException();
    }
  }

  /** Called when something may have changed, by any thread. */
  void wake() {
    turn.tell();
    boolean over = over() != null;
    List<Runnable> callbacks = new ArrayList<>(0);
    if (waiting.get() != null && (over || finished.get() || observer.isReady())) {
      callbacks.add(this::retry);
    }
    if (over && !finished.get()) {
      move(onCancelled, callbacks);
    }
    if (call.isStopping()) {
      move(onStopping, callbacks);
    }
    callbacks.forEach(each -> CallExecutor.run(() -> call.run(each)));
  }

  private static void move(Queue<Runnable> from, List<Runnable> to) {
    for (Runnable each = from.poll(); each != null; each = from.poll()) {
      to.add(each);
    }
  }
}
