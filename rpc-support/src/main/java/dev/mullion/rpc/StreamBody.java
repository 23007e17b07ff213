package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static java.util.concurrent.TimeUnit.MILLISECONDS;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * The body of a method that reads a stream. It begins inside the first event of its requests, and
 * so inside what interceptors set for the thread around events, such as a user or a logging
 * context, as the body of a unary method does. A client that waits for the server to speak first
 * sends no request; then it begins inside {@code onReady}.
 */
final class StreamBody<Q> implements StreamObserver<Q> {
  /** How long a client that sends no request is waited for. */
  private static final long FOR_FIRST_REQUEST = MILLISECONDS.toNanos(100);

  private final OpenCall open;
  private final StreamListener<?> stream;
  private final StreamReader<Q> requests;
  private final Runnable body;

  /** The method's, which has what interceptors attach while a call starts. */
  private final Context context = Context.current();

  private volatile boolean silent;
  private @Nullable Future<?> silence;

  /** Used by events only. */
  private boolean begun;

  private StreamBody(
      OpenCall open, StreamListener<?> stream, StreamReader<Q> requests, Runnable body) {
    this.open = open;
    this.stream = stream;
    this.requests = requests;
    this.body = body;
  }

  static <Q> StreamBody<Q> of(StreamReader<Q> requests, Runnable body) {
    OpenCall open = OpenCall.currentOrNull();
    StreamListener<?> stream = open == null ? null : open.streamListener();
    if (open == null || stream == null) {
      throw new IllegalStateException("no thread that may wait"
          + " (expected: a stream of an RpcServer without directExecutor)");
    }
    return new StreamBody<>(open, stream, requests, body);
  }

  /** Asks for the first request, and returns this as what takes it. */
  StreamObserver<Q> reading(ServerCallStreamObserver<?> flow) {
    open.watch(this::endIfOver);
    endIfOver();
    CallExecutor events = stream.events();
    silence = open.later(() -> events.deliver(this::silent), FOR_FIRST_REQUEST);
    flow.disableAutoRequest();
    flow.request(1);
    return this;
  }

  /** After an end by the service gRPC tells nobody that no more requests come. */
  private void endIfOver() {
    Status ended = open.isOver() && open.isEndedByService()
        ? Status.CANCELLED.withDescription("the service has ended the call")
        : open.ended();
    if (ended != null) {
      requests.fail(ended.asRuntimeException());
    }
  }

  /** Interceptors may keep {@code onReady} to themselves. */
  private void silent() {
    silent = true;
    stream.onReady();
    stream.events().executeAnyway(this::begin);
  }

  /** Called inside {@code onReady}. */
  void ready() {
    if (silent) {
      begin();
    }
  }

  @Override
  public void onNext(Q request) {
    requests.observer().onNext(request);
    begin();
  }

  @Override
  public void onError(Throwable error) {
    requests.fail(error);
    begin();
  }

  @Override
  public void onCompleted() {
    requests.observer().onCompleted();
    begin();
  }

  private void begin() {
    if (begun) {
      return;
    }
    begun = true;
    requireNonNull(silence).cancel(false);
    CallExecutor events = stream.events();
    // An interceptor may have attached another one for this event.
    Context current = Context.current();
    events.runBody(current == events.context() ? context.wrap(body) : body);
  }
}
