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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
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

  /** What a writer knows of its call. */
  interface Call {
    /** Returns why nothing can be written any more, or null if it can. */
    @Nullable
    Status over();

    boolean isStopping();

    /**
     * Returns whether the current thread is one that brings the news that a write would wait for.
     */
    boolean mayNotWait();

    void run(Runnable callback);

    /** Ends it, since its end could not be sent. */
    void failed(Throwable thrown);
  }

  private record Waiting<T>(T message, CompletableFuture<Void> written) {}

  private final CallStreamObserver<T> observer;
  private final Call call;
  private final AtomicBoolean finished = new AtomicBoolean();
  private final AtomicReference<@Nullable Waiting<T>> waiting = new AtomicReference<>();

  /** Held while something is sent, which never waits. */
  private final ReentrantLock sending = new ReentrantLock();

  /** Guards what follows; never held while something is sent, since event loops take it. */
  private final ReentrantLock lock = new ReentrantLock();

  private final Condition changed = lock.newCondition();
  private final List<Runnable> onCancelled = new ArrayList<>();
  private final List<Runnable> onStopping = new ArrayList<>();

  StreamWriter(CallStreamObserver<T> observer, Call call) {
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
    while (!send(message)) {
      await();
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
    writeNext(requireNonNull(messages, "messages"), all);
    return all;
  }

  /** A loop, since stages that are complete would nest as deep as there are messages. */
  private void writeNext(Iterator<? extends T> messages, CompletableFuture<Void> all) {
    try {
      while (messages.hasNext()) {
        CompletableFuture<Void> written = writeAsync(messages.next()).toCompletableFuture();
        if (!written.isDone()) {
          written.whenComplete((done, error) -> {
            if (error == null) {
              writeNext(messages, all);
            } else {
              all.completeExceptionally(error);
            }
          });
          return;
        }
        written.join();
      }
      all.complete(null);
    } catch (CompletionException failed) {
      all.completeExceptionally(failed.getCause() == null ? failed : failed.getCause());
    } catch (Throwable failed) {
      all.completeExceptionally(failed);
    }
  }

  /** Called on an event loop that runs services, where what hangs on a write runs too. */
  private void goOn() {
    retry();
    wake();
  }

  /** Sends the message that waits, if that is possible by now. */
  private void retry() {
    Runnable outcome;
    sending.lock();
    try {
      outcome = attempt();
    } finally {
      sending.unlock();
    }
    if (outcome != null) {
      // What comes of it may take any time.
      outcome.run();
    }
  }

  private @Nullable Runnable attempt() {
    Waiting<T> next = waiting.get();
    if (next == null) {
      return null;
    }
    try {
      if (!send(next.message())) {
        return null;
      }
      waiting.set(null);
      return () -> next.written().complete(null);
    } catch (Throwable over) {
      waiting.set(null);
      return () -> next.written().completeExceptionally(over);
    }
  }

  /** Returns whether nothing more can be written since the call has ended otherwise. */
  public boolean isCancelled() {
    return call.over() != null;
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

  private void add(List<Runnable> callbacks, Runnable callback) {
    lock.lock();
    try {
      callbacks.add(callback);
    } finally {
      lock.unlock();
    }
    wake();
  }

  /**
   * Ends the stream well, once; if the call has ended otherwise, that stays.
   *
   * @throws IllegalStateException if the stream is finished
   */
  public void complete() {
    if (!finish(observer::onCompleted)) {
      throw finishedAlready();
    }
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
    if (!finish(() -> observer.onError(given))) {
      throw finishedAlready();
    }
  }

  CallStreamObserver<T> observer() {
    return observer;
  }

  /**
   * Ends the stream unless it is finished, and returns whether it was not. The end may be told to
   * others on the spot, so it is without the lock; nothing is sent any more by then.
   */
  boolean finish(Runnable last) {
    sending.lock();
    try {
      if (!finished.compareAndSet(false, true)) {
        return false;
      }
    } finally {
      sending.unlock();
    }
    try {
      if (call.over() == null) {
        last.run();
      }
    } catch (Throwable thrown) {
      // That of an interceptor, for instance. Nobody can end the stream by its writer any more.
      call.failed(thrown);
      throw thrown;
    } finally {
      wake();
    }
    return true;
  }

  private static IllegalStateException finishedAlready() {
    return new IllegalStateException("the stream is finished (expected: complete or fail once)");
  }

  /** Sends a message unless the peer is behind, and returns whether it has. */
  private boolean send(T message) {
    sending.lock();
    try {
      Status over = call.over();
      if (over != null) {
        throw over.asRuntimeException();
      }
      if (finished.get()) {
        throw new IllegalStateException("the stream is finished (expected: write before that)");
      }
      if (!observer.isReady()) {
        return false;
      }
      observer.onNext(message);
      return true;
    } finally {
      sending.unlock();
    }
  }

  private void await() {
    lock.lock();
    try {
      while (!isNewsForWriters()) {
        changed.await();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw Status.CANCELLED
          .withDescription("interrupted while the peer is behind")
          .withCause(e)
          .asRuntimeException();
    } finally {
      lock.unlock();
    }
  }

  private boolean isNewsForWriters() {
    return observer.isReady() || finished.get() || call.over() != null;
  }

  /** Called when something may have changed, by any thread. */
  void wake() {
    List<Runnable> callbacks = new ArrayList<>();
    lock.lock();
    try {
      changed.signalAll();
      if (waiting.get() != null && isNewsForWriters()) {
        callbacks.add(this::retry);
      }
      moveIf(() -> call.over() != null && !finished.get(), onCancelled, callbacks);
      moveIf(call::isStopping, onStopping, callbacks);
    } finally {
      lock.unlock();
    }
    callbacks.forEach(each -> CallExecutor.run(() -> call.run(each)));
  }

  private static void moveIf(BooleanSupplier condition, List<Runnable> from, List<Runnable> to) {
    if (!from.isEmpty() && condition.getAsBoolean()) {
      to.addAll(from);
      from.clear();
    }
  }
}
