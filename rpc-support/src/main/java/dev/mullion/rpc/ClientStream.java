package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A call whose client sends a stream: a {@link StreamWriter} for its requests and a {@link
 * StreamReader} for its replies, of an asynchronous stub's method.
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
 * <p>Writes wait while more than 32 KiB wait for the server, unless {@code
 * CallOptions.withOnReadyThreshold} says otherwise. A server that replies while it reads waits too,
 * so a long stream must be read while it is written, by another thread. To close it cancels the
 * call, unless it has ended.
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
      throw new IllegalStateException(
          "the method has started no call of gRPC (expected: stub::name)");
    }
    return new ClientStream<>(opening);
  }

  /** Returns what writes the requests; to complete it leaves the replies to come. */
  public StreamWriter<Q> requests() {
    return requireNonNull(opened.writer);
  }

  /** Returns what reads the replies. */
  public StreamReader<R> replies() {
    return requireNonNull(opened.reader);
  }

  /**
   * Cancels the call, unless it has ended: the server sees it, and what is read and written fails.
   */
  public void cancel(String reason) {
    requireNonNull(reason, "reason");
    if (opened.ended == null) {
      // From now on, though the reader hears of it later.
      opened.end(Status.CANCELLED.withDescription(reason));
      requireNonNull(opened.requests).cancel(reason, null);
    }
  }

  @Override
  public void close() {
    cancel("the stream was closed");
  }

  /** Is given to the stub, and to the writer. */
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
      // gRPC asks for that one once the call has started.
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

    /** What the client sends is not the whole call. */
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
    public boolean mayNotWait() {
      return false;
    }

    @Override
    public void run(Runnable callback) {
      callback.run();
    }
  }
}
