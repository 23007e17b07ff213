package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Writes the methods of a generated {@code ImplBase} as functions. The return value is the reply,
 * exceptions are mapped by {@code mapException}, and {@code onCompleted} is never forgotten.
 *
 * <pre>{@code
 * public void sayHello(HelloRequest request, StreamObserver<HelloReply> observer) {
 *   RpcMethod.unary(observer, () -> greet(request.getName()));
 * }
 * }</pre>
 *
 * <p>Each stream needs a handler thread of an {@link RpcServer}. In {@code directExecutor} mode
 * only unary methods are possible; streams need a {@link StreamWriter} there.
 *
 * <p>A function runs inside an event of its call, so it sees what interceptors set for the thread
 * around events. The function of a stream of requests runs inside the first request, or the end of
 * the stream. If neither arrives within 100 ms, because the client waits for the server to send
 * first, it runs inside {@code onReady}. Events that arrive while it runs pass through interceptors
 * on other threads, one event at a time.
 */
public final class RpcMethod {
  /** Writes a stream of replies. */
  @FunctionalInterface
  public interface Replies<R> {
    /** Writes the replies; the stream ends when this returns. */
    void write(StreamWriter<R> replies) throws Exception;
  }

  /** Reads a stream of requests, and returns the reply. */
  @FunctionalInterface
  public interface Requests<Q, R> {
    /** Returns the reply. */
    R read(StreamReader<Q> requests) throws Exception;
  }

  /** Reads a stream of requests while it writes one of replies. */
  @FunctionalInterface
  public interface Bidi<Q, R> {
    /** Reads and writes; the stream of replies ends when this returns. */
    void run(StreamReader<Q> requests, StreamWriter<R> replies) throws Exception;
  }

  private RpcMethod() {}

  /** Replies with the result of a function. A null result is {@code INTERNAL}. */
  public static <R> void unary(StreamObserver<R> observer, Callable<? extends R> body) {
    requireNonNull(observer, "observer");
    requireNonNull(body, "body");
    try {
      reply(observer, body.call());
    } catch (Throwable thrown) {
      observer.onError(noted(thrown));
    }
  }

  /**
   * Replies with the result of a stage, on the thread that completes it. If the stage never
   * completes, the call's timeout ends the call. Cancelling the call cancels the stage if it is a
   * {@code Future}.
   */
  public static <R> void unaryAsync(
      StreamObserver<R> observer, Callable<? extends CompletionStage<? extends R>> body) {
    requireNonNull(observer, "observer");
    requireNonNull(body, "body");
    CompletionStage<? extends R> stage;
    try {
      stage = body.call();
    } catch (Throwable thrown) {
      observer.onError(noted(thrown));
      return;
    }
    if (stage == null) {
      reply(observer, null);
      return;
    }
    cancelWithTheCall(stage);
    OpenCall open = OpenCall.currentOrNull();
    stage.whenComplete((reply, error) -> {
      try {
        if (error == null) {
          unary(observer, () -> reply);
        } else {
          observer.onError(noted(error));
        }
      } catch (Throwable thrown) {
        // Thrown by an interceptor, for instance. Nobody sees it here, so it must end the call.
        failed(open, thrown);
      }
    });
  }

  private static void failed(@Nullable OpenCall open, Throwable thrown) {
    if (open == null) {
      UnsentMessage.<RuntimeException>sneak(thrown);
    } else {
      open.fail(thrown);
    }
  }

  /** Returns a body that also ends its call if an interceptor around it throws. */
  private static Runnable ending(Runnable body) {
    OpenCall open = OpenCall.currentOrNull();
    return () -> {
      try {
        body.run();
      } catch (Throwable thrown) {
        failed(open, thrown);
      }
    };
  }

  private static void cancelWithTheCall(CompletionStage<?> stage) {
    if (stage instanceof Future<?> future) {
      Context.current().addListener(cancelled -> future.cancel(true), Runnable::run);
    }
  }

  private static <R> void reply(StreamObserver<R> observer, @Nullable R reply) {
    if (reply == null) {
      observer.onError(Status.INTERNAL
          .withDescription("the method returned null (expected: a reply)")
          .asRuntimeException());
      return;
    }
    observer.onNext(reply);
    observer.onCompleted();
  }

  /**
   * Replies with a stream that ends when the function returns. The function runs on the calling
   * thread.
   */
  public static <R> void serverStreaming(StreamObserver<R> observer, Replies<R> body) {
    requireNonNull(body, "body");
    write(StreamWriter.of(observer), body);
  }

  private static <R> void write(StreamWriter<R> replies, Replies<R> body) {
    try {
      body.write(replies);
      replies.finish(() -> replies.observer().onCompleted());
    } catch (Throwable thrown) {
      Throwable error = noted(thrown);
      replies.finish(() -> replies.observer().onError(error));
    }
  }

  /**
   * Replies to a stream of requests with the result of a function that reads them. A null result is
   * {@code INTERNAL}.
   */
  public static <Q, R> StreamObserver<Q> clientStreaming(
      StreamObserver<R> observer, Requests<Q, R> body) {
    requireNonNull(body, "body");
    ServerCallStreamObserver<R> flow = flow(observer);
    StreamReader<Q> requests = new StreamReader<>(flow::request);
    StreamBody<Q> started =
        StreamBody.of(requests, ending(() -> unary(observer, () -> body.read(requests))));
    flow.setOnReadyHandler(started::ready);
    return started.reading(flow);
  }

  /** Replies to a stream of requests with a stream that ends when the function returns. */
  public static <Q, R> StreamObserver<Q> bidiStreaming(
      StreamObserver<R> observer, Bidi<Q, R> body) {
    requireNonNull(body, "body");
    ServerCallStreamObserver<R> flow = flow(observer);
    StreamReader<Q> requests = new StreamReader<>(flow::request);
    StreamWriter<R> writer = StreamWriter.of(observer);
    StreamBody<Q> started = StreamBody.of(
        requests, ending(() -> write(writer, replies -> body.run(requests, replies))));
    flow.setOnReadyHandler(() -> {
      started.ready();
      writer.wake();
    });
    return started.reading(flow);
  }

  private static <R> ServerCallStreamObserver<R> flow(StreamObserver<R> observer) {
    if (!(requireNonNull(observer, "observer") instanceof ServerCallStreamObserver<R> flow)) {
      throw new IllegalStateException("observer: " + observer.getClass().getName()
          + " (expected: the observer passed to the service's method)");
    }
    return flow;
  }

  private static Throwable noted(Throwable thrown) {
    if (thrown instanceof InterruptedException) {
      Thread.currentThread().interrupt();
    }
    return ExceptionMapping.toBeMapped(thrown);
  }
}
