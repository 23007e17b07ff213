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
 * Writes the messages of a stream with backpressure: it waits while the peer is behind, so the
 * transport holds at most {@link #DEFAULT_BUFFER} bytes and one message. A service creates a writer
 * of its replies from the observer that its method receives; a {@link ClientStream} has one for its
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
 * <p>Once its client, a timeout or the server has ended the call, writes fail with a {@link
 * StatusRuntimeException} that has the reason. {@link RpcMethod} completes and fails streams
 * itself.
 *
 * <p>Any thread may call any method. On a server, callbacks run on threads that the server keeps
 * for them, in parallel with the service's method, and may block. On a client, they run on the
 * channel's threads. With {@code directExecutor}, stages that depend on {@link #writeAsync} run on
 * the event loop, which is notified when the peer is ready.
 */
public final class StreamWriter<T> {
  /** The default number of buffered bytes above which writes wait for the peer: 256 KiB. */
  public static final int DEFAULT_BUFFER = 256 * 1024;

  private record Waiting<T>(T message, CompletableFuture<Void> written) {}

  private final CallStreamObserver<T> observer;
  private final WrittenCall call;
  private final AtomicBoolean finished = new AtomicBoolean();
  private final AtomicReference<@Nullable Waiting<T>> waiting = new AtomicReference<>();

  /** The end of the stream, which the thread with the turn sends. */
  private final AtomicReference<@Nullable Runnable> end = new AtomicReference<>();

  private final SendTurn turn = new SendTurn();

  /** Used only by the thread with the turn. */
  private boolean endSent;

  private final Queue<Runnable> onCancelled = new ConcurrentLinkedQueue<>();
  private final Queue<Runnable> onStopping = new ConcurrentLinkedQueue<>();

  StreamWriter(CallStreamObserver<T> observer, WrittenCall call) {
    this.observer = observer;
    this.call = call;
  }

  /**
   * Returns a writer for the replies of the call that the current thread runs. Call it in the
   * service's method, before that returns.
   *
   * @throws IllegalStateException if this thread runs no call of an {@link RpcServer}
   */
  public static <T> StreamWriter<T> of(StreamObserver<T> replies) {
    return of(replies, DEFAULT_BUFFER);
  }

  /**
   * Returns a writer for replies with another buffer size, in bytes.
   *
   * @throws IllegalStateException if this thread runs no call of an {@link RpcServer}
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
    // A writer that waits inside the call is woken only by the first of these, one on an event loop
    // only by the others.
    open.watch(writer::wake);
    observer.setOnReadyHandler(open.streamListener() == null ? writer::goOn : writer::wake);
    observer.setOnCancelHandler(writer::wake);
    return writer;
  }

  /**
   * Writes a message, after waiting while the peer is behind.
   *
   * @throws StatusRuntimeException if the call has ended in another way; with {@code CANCELLED} if
   *     the thread is interrupted, and then it stays interrupted
   * @throws IllegalStateException if the stream is finished, or if this is an event loop, which
   *     must not block
   */
  public void write(T message) {
    requireNonNull(message, "message");
    if (call.mustNotBlock()) {
      throw new IllegalStateException("write would block an event loop"
          + " (expected: writeAsync, or a server without directExecutor)");
    }
    while (true) {
      long seen = turn.news();
      if (waiting.get() != null) {
        // The pending writeAsync came first.
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
   * Writes a message once the peer is ready for it. Only one such write may be pending at a time.
   *
   * @return a stage that completes when the message is written and the next write may start; it
   *     fails with a {@link StatusRuntimeException} if the call has ended in another way, and with
   *     an {@link IllegalStateException} if the stream is finished or another write is pending
   */
  public CompletionStage<Void> writeAsync(T message) {
    Waiting<T> next = new Waiting<>(requireNonNull(message, "message"), new CompletableFuture<>());
    if (!waiting.compareAndSet(null, next)) {
      return CompletableFuture.failedFuture(
          new IllegalStateException("previous writeAsync still pending (await its stage first)"));
    }
    retry();
    return next.written();
  }

  /**
   * Writes messages, each once the peer is ready for it and no other write is pending. The iterator
   * is used first by this thread, and then by the threads of callbacks.
   *
   * @return a stage that completes when all messages are written, and leaves the stream open; it
   *     fails as with {@link #writeAsync}, or with the iterator's exception
   */
  public CompletionStage<Void> writeAllAsync(Iterator<? extends T> messages) {
    CompletableFuture<Void> all = new CompletableFuture<>();
    AllWrites.next(this, requireNonNull(messages, "messages"), all);
    return all;
  }

  /** Called on an event loop that runs services; dependent stages of a write run there too. */
  private void goOn() {
    retry();
    wake();
  }

  /** Sends the pending message if possible. If another thread is sending, that one does so. */
  private void retry() {
    if (turn.takeOrAsk()) {
      leave();
    }
  }

  /** Sends what is pending, including what arrives meanwhile, and gives the turn back. */
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
    // Dependent stages may take any time.
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

  /** The message was accepted before the end, but the end does not wait for the peer. */
  private boolean sendWaiting(T message) {
    boolean ready = over() == null && !endSent && observer.isReady();
    if (ready) {
      observer.onNext(message);
    } else {
      checkOpen();
    }
    return ready;
  }

  /** Returns whether writes fail because the call has ended other than by this writer. */
  public boolean isCancelled() {
    return over() != null;
  }

  /** Returns the status if the call has ended other than by this writer. */
  private @Nullable Status over() {
    Status over = call.over();
    return over == null && call.isEndedByService() && !finished.get()
        ? Status.CANCELLED.withDescription("the service has ended the call")
        : over;
  }

  /**
   * Adds a callback that runs once the call has ended other than by this writer, or at once if it
   * has. Use it to stop a producer of messages while no write is pending.
   */
  public void onCancelled(Runnable callback) {
    add(onCancelled, requireNonNull(callback, "callback"));
  }

  /** Returns whether the server is stopping, so that a long stream should end. */
  public boolean isStopping() {
    return call.isStopping();
  }

  /**
   * Adds a callback that runs once the server is stopping; it runs at once if the server already
   * is. The stream can send last messages until the stop's timeout passes; then the call is
   * cancelled.
   */
  public void onStopping(Runnable callback) {
    add(onStopping, requireNonNull(callback, "callback"));
  }

  private void add(Queue<Runnable> callbacks, Runnable callback) {
    callbacks.add(callback);
    wake();
  }

  /**
   * Completes the stream; no effect if the call already ended.
   *
   * @throws IllegalStateException if the stream is finished
   */
  public void complete() {
    finishOnce(observer::onCompleted);
  }

  /**
   * Fails the stream; no effect if the call already ended. On a server, {@code mapException}
   * decides which status the client sees.
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
   * Ends the stream unless it is finished, and returns whether it did. If another thread is
   * sending, that thread sends the end after its message.
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
      // Thrown by an interceptor, for instance. The writer can no longer end the stream.
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
      throw new IllegalStateException(
          "the stream is finished (expected: no write after complete or fail)");
    }
  }

  /** Sends a message if the peer is ready, and returns whether it did. The caller has the turn. */
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
          .withDescription("interrupted while waiting for the peer")
          .withCause(e)
          .asRuntimeException();
    }
  }

  /** Called by any thread when something may have changed. */
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
