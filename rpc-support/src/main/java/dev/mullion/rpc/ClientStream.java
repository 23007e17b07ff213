package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A call in which the client sends a stream. It has a {@link StreamWriter} for the requests and a
 * {@link StreamReader} for the replies, and is opened with a method of an asynchronous stub.
 *
 * <pre>{@code
 * try (ClientStream<HelloRequest, HelloReply> chat = ClientStream.open(stub::chat)) {
 *   chat.requests().write(HelloRequest.newBuilder().setName("world").build());
 *   chat.requests().complete();
 *   for (HelloReply reply : chat.replies()) {
 *     System.out.println(reply.getMessage());
 *   }
 * }
 * }</pre>
 *
 * <p>Writes wait while more than 32 KiB are buffered, or more than {@code
 * CallOptions.withOnReadyThreshold} allows. A server that replies while it reads waits for its
 * client in the same way. So another thread must read the replies of a long stream while it is
 * written. Closing the stream cancels the call unless it has ended.
 */
public final class ClientStream<Q, R> implements AutoCloseable {
  private final Opening<Q, R> opened;

  private ClientStream(Opening<Q, R> opened) {
    this.opened = opened;
  }

  /** Starts a call, such as by {@code stub::chat}. */
  public static <Q, R> ClientStream<Q, R> open(
      Function<StreamObserver<R>, StreamObserver<Q>> method) {
    Opening<Q, R> opening = new Opening<>();
    StreamObserver<Q> started = requireNonNull(method, "method").apply(opening);
    if (started == null || opening.writer == null) {
      throw new IllegalStateException("the method started no gRPC call (expected: stub::name)");
    }
    return new ClientStream<>(opening);
  }

  /** Returns the writer of requests. Replies still arrive after it is completed. */
  public StreamWriter<Q> requests() {
    return requireNonNull(opened.writer);
  }

  /** Returns the reader of replies. */
  public StreamReader<R> replies() {
    return requireNonNull(opened.reader);
  }

  /** Cancels the call unless it has ended. The server is notified, and reads and writes fail. */
  public void cancel(String reason) {
    requireNonNull(reason, "reason");
    if (opened.ended == null) {
      // Writes fail from now on; the reader is notified later.
      opened.end(Status.CANCELLED.withDescription(reason));
      requireNonNull(opened.requests).cancel(reason, null);
    }
  }

  @Override
  public void close() {
    cancel("the stream was closed");
  }

  /** Passed to the stub and to the writer. */
  private static final class Opening<Q, R> implements ClientResponseObserver<Q, R>, WrittenCall {
    @Nullable
    StreamWriter<Q> writer;

    @Nullable
    StreamReader<R> reader;

    @Nullable
    ClientCallStreamObserver<Q> requests;

    volatile @Nullable Status ended;

    @Override
    public void beforeStart(ClientCallStreamObserver<Q> requests) {
      this.requests = requests;
      StreamWriter<Q> waking = new StreamWriter<>(requests, this);
      writer = waking;
      // gRPC requests that message once the call has started.
      requests.disableAutoRequestWithInitial(1);
      reader = new StreamReader<>(requests::request);
      requests.setOnReadyHandler(waking::wake);
    }

    @Override
    public void onNext(R reply) {
      requireNonNull(reader).observer().onNext(reply);
    }

    @Override
    public void onError(Throwable error) {
      end(Status.fromThrowable(error));
      requireNonNull(reader).observer().onError(error);
    }

    @Override
    public void onCompleted() {
      end(Status.CANCELLED.withDescription("the server has ended the call"));
      requireNonNull(reader).observer().onCompleted();
    }

    private void end(Status status) {
      ended = status;
      requireNonNull(writer).wake();
    }

    @Override
    public @Nullable Status over() {
      return ended;
    }

    /** The end of the requests does not end the call. */
    @Override
    public boolean isEndedByService() {
      return false;
    }

    @Override
    public boolean isStopping() {
      return false;
    }

    @Override
    public void failed(Throwable thrown) {
      requireNonNull(requests).cancel("the end of the requests could not be sent", thrown);
    }

    @Override
    public boolean mustNotBlock() {
      return false;
    }

    @Override
    public void run(Runnable callback) {
      callback.run();
    }
  }
}
