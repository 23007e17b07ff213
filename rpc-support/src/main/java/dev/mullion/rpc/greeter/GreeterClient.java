package dev.mullion.rpc.greeter;

import static java.util.Objects.requireNonNull;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Deadline;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * A client of the Greeter with blocking and asynchronous methods, each also with a deadline.
 *
 * <pre>{@code
 * GreeterClient client = GreeterClient.of(channel);
 * String greeting = client.sayHello("world");
 * CompletableFuture<String> later = client.sayHelloAsync("world", Duration.ofSeconds(10));
 * }</pre>
 *
 * <p>Failures are {@link io.grpc.StatusRuntimeException}s. The client does not close the channel,
 * and any thread may use it.
 */
public final class GreeterClient {
  private final Channel channel;

  private GreeterClient(Channel channel) {
    this.channel = channel;
  }

  /** Returns a client that calls over a channel. */
  public static GreeterClient of(Channel channel) {
    return new GreeterClient(requireNonNull(channel, "channel"));
  }

  /**
   * Waits for the greeting for a name and returns it. If the calling thread is interrupted, the
   * call is cancelled and the thread stays interrupted.
   */
  public String sayHello(String name) {
    return await(name, CallOptions.DEFAULT);
  }

  /** Returns the greeting for a name, or fails with {@code DEADLINE_EXCEEDED} after a timeout. */
  public String sayHello(String name, Duration timeout) {
    return await(name, within(timeout));
  }

  /** Returns the greeting for a name, or fails with {@code DEADLINE_EXCEEDED} at a deadline. */
  public String sayHello(String name, Deadline deadline) {
    return await(name, CallOptions.DEFAULT.withDeadline(requireNonNull(deadline, "deadline")));
  }

  /** Returns a future greeting; cancelling it cancels the call. */
  public CompletableFuture<String> sayHelloAsync(String name) {
    return start(name, CallOptions.DEFAULT);
  }

  /** Returns a future greeting, which fails with {@code DEADLINE_EXCEEDED} after a timeout. */
  public CompletableFuture<String> sayHelloAsync(String name, Duration timeout) {
    return start(name, within(timeout));
  }

  private static CallOptions within(Duration timeout) {
    if (requireNonNull(timeout, "timeout").isNegative() || timeout.isZero()) {
      throw new IllegalArgumentException("timeout: " + timeout + " (expected: > PT0S)");
    }
    return CallOptions.DEFAULT.withDeadlineAfter(timeout);
  }

  private static HelloRequest request(String name) {
    return HelloRequest.newBuilder().setName(requireNonNull(name, "name")).build();
  }

  private String await(String name, CallOptions options) {
    return ClientCalls.blockingUnaryCall(
            channel, GreeterGrpc.getSayHelloMethod(), options, request(name))
        .getMessage();
  }

  private CompletableFuture<String> start(String name, CallOptions options) {
    HelloRequest request = request(name);
    ClientCall<HelloRequest, HelloReply> call =
        channel.newCall(GreeterGrpc.getSayHelloMethod(), options);
    Reply reply = new Reply();
    reply.whenComplete((greeting, error) -> {
      if (reply.isCancelled()) {
        call.cancel("the future was cancelled", error);
      }
    });
    ClientCalls.asyncUnaryCall(call, request, reply);
    return reply;
  }

  /** Completes with the reply once the status has arrived. */
  private static final class Reply extends CompletableFuture<String>
      implements StreamObserver<HelloReply> {
    private HelloReply reply = HelloReply.getDefaultInstance();

    @Override
    public void onNext(HelloReply reply) {
      this.reply = reply;
    }

    @Override
    public void onError(Throwable error) {
      completeExceptionally(error);
    }

    /** {@link ClientCalls} fails a unary call that ends without a reply. */
    @Override
    public void onCompleted() {
      complete(reply.getMessage());
    }
  }
}
