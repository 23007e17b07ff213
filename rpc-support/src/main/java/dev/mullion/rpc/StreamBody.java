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
 * The body of a method that reads a stream. It starts inside the first event of its requests. So it
 * sees what interceptors set for the thread around events, such as a user or a logging context, as
 * the body of a unary method does. If the client waits for the server to send first, no request
 * arrives, and the body starts inside {@code onReady}.
 */
final class StreamBody<Q> implements StreamObserver<Q> {
  /** How long to wait for a client's first request. */
  private static final long FOR_FIRST_REQUEST = MILLISECONDS.toNanos(100);

  private final OpenCall open;
  private final StreamListener<?> stream;
  private final StreamReader<Q> requests;
  private final Runnable body;

  /** The context of the method, with values that interceptors attach while a call starts. */
  private final Context context = Context.current();

  private volatile boolean silent;
  private @Nullable Future<?> silence;

  /** Used only by events. */
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
      throw new IllegalStateException("streaming needs a handler thread"
          + " (expected: a stream of an RpcServer without directExecutor)");
    }
    return new StreamBody<>(open, stream, requests, body);
  }

  /** Requests the first message, and returns the observer that receives it. */
  StreamObserver<Q> reading(ServerCallStreamObserver<?> flow) {
    open.watch(this::endIfOver);
    endIfOver();
    CallExecutor events = stream.events();
    silence = open.later(() -> events.deliver(this::silent), FOR_FIRST_REQUEST);
    flow.disableAutoRequest();
    flow.request(1);
    return this;
  }

  /** Ends the requests, since gRPC does not do so after the service has ended the call. */
  private void endIfOver() {
    Status ended = open.isOver() && open.isEndedByService()
        ? Status.CANCELLED.withDescription("the service has ended the call")
        : open.ended();
    if (ended != null) {
      requests.fail(ended.asRuntimeException());
    }
  }

  /** Starts the body anyway, since interceptors may swallow {@code onReady}. */
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
    // An interceptor may have attached another context for this event.
    Context current = Context.current();
    events.runBody(current == events.context() ? context.wrap(body) : body);
  }
}
