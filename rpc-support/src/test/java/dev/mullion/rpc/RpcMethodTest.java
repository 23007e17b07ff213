package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterGrpc;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Methods that are functions. */
class RpcMethodTest extends RpcTest {
  private static final HelloReply REPLY =
      HelloReply.newBuilder().setMessage("hi").build();

  private static RpcServerBuilder unary(Callable<HelloReply> body) {
    return RpcServer.builder()
        .mapException(
            FileNotFoundException.class,
            missing -> Status.NOT_FOUND.withDescription(missing.getMessage()))
        .addService(TestService.unary((request, observer) -> RpcMethod.unary(observer, body)));
  }

  private static RpcServerBuilder async(Callable<CompletionStage<HelloReply>> body) {
    return RpcServer.builder()
        .addService(TestService.unary((request, observer) -> RpcMethod.unaryAsync(observer, body)));
  }

  private String outcome(RpcServerBuilder builder) throws Exception {
    RpcServer server = start(builder);
    try {
      return call(channel(server)).getMessage();
    } catch (StatusRuntimeException e) {
      return text(e.getStatus());
    }
  }

  @Test
  void replyIsWhatTheFunctionReturns() throws Exception {
    assertThat(outcome(unary(() -> REPLY))).isEqualTo("hi");
    assertThat(outcome(async(() -> CompletableFuture.completedFuture(REPLY)))).isEqualTo("hi");
  }

  @Test
  void replyMayComeLaterOnAnotherThread() throws Exception {
    assertThat(outcome(async(() -> CompletableFuture.supplyAsync(() -> REPLY)).directExecutor()))
        .isEqualTo("hi");
  }

  @Test
  @SuppressWarnings("NullAway")
  void nullIsAnInternalError() throws Exception {
    String text = "INTERNAL: the method returned null (expected: a reply)";

    assertThat(outcome(unary(() -> null))).isEqualTo(text);
    assertThat(outcome(async(() -> null))).isEqualTo(text);
    assertThat(outcome(async(() -> CompletableFuture.completedFuture(null)))).isEqualTo(text);
  }

  @Test
  void exceptionsAreMapped() throws Exception {
    Exception missing = new FileNotFoundException("a.txt");

    assertThat(outcome(unary(() -> {
          throw missing;
        })))
        .isEqualTo("NOT_FOUND: a.txt");
    assertThat(outcome(async(() -> {
          throw new IllegalArgumentException("no name");
        })))
        .isEqualTo("INVALID_ARGUMENT: no name");
    assertThat(outcome(
            async(() -> CompletableFuture.failedFuture(new IllegalArgumentException("no name")))))
        .isEqualTo("INVALID_ARGUMENT: no name");
    assertThat(outcome(async(() -> CompletableFuture.supplyAsync(() -> {
          throw new IllegalArgumentException("no name");
        }))))
        .isEqualTo("INVALID_ARGUMENT: no name");
  }

  /** gRPC took the status of the cause, as if it were the server's own. */
  @Test
  void exceptionCountsAndNotTheStatusInside() throws Exception {
    IllegalArgumentException wrong = new IllegalArgumentException(
        "no name", Status.PERMISSION_DENIED.withDescription("secret").asRuntimeException());

    assertThat(outcome(unary(() -> {
          throw wrong;
        })))
        .isEqualTo("INVALID_ARGUMENT: no name");
    assertThat(outcome(async(() -> CompletableFuture.failedFuture(wrong))))
        .isEqualTo("INVALID_ARGUMENT: no name");
    assertThat(outcome(async(() -> CompletableFuture.failedFuture(
            new CompletionException(Status.ABORTED.withDescription("again").asException())))))
        .isEqualTo("ABORTED: again");
  }

  /** Nobody saw it, and the call stayed open. */
  @Test
  void replyThatCannotBeSentEndsTheCall() throws Exception {
    ServerInterceptor refusing = new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        return next.startCall(
            new SimpleForwardingServerCall<>(call) {
              @Override
              public void sendMessage(R message) {
                throw new IllegalArgumentException("no reply");
              }
            },
            headers);
      }
    };

    assertThat(outcome(async(() -> CompletableFuture.completedFuture(REPLY))
            .intercept(refusing)
            .defaultTimeout(Duration.ofSeconds(10))))
        .isEqualTo("INVALID_ARGUMENT: no reply");
  }

  @Test
  void stageThatNeverCompletesIsEndedByTheTimeoutAndCancelled() throws Exception {
    CompletableFuture<HelloReply> never = new CompletableFuture<>();

    assertThat(outcome(async(() -> never).defaultTimeout(Duration.ofSeconds(1))))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT1S");
    Await.until("the stage is cancelled", never::isCancelled);
  }

  @Test
  void cancelledCallCancelsTheStage() throws Exception {
    CompletableFuture<HelloReply> never = new CompletableFuture<>();
    RpcServer server = start(async(() -> {
      released.countDown();
      return never;
    }));
    ClientCall<HelloRequest, HelloReply> call =
        channel(server).newCall(TestService.UNARY, CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {}, new Metadata());
    call.request(1);
    call.sendMessage(REQUEST);
    call.halfClose();
    awaitRelease();

    call.cancel("enough", null);

    Await.until("the stage is cancelled", never::isCancelled);
  }

  @Test
  void streamOfRepliesEndsWithItsFunction() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.stream(
            (request, observer) -> RpcMethod.serverStreaming(observer, replies -> {
              replies.write(REPLY);
              throw new IllegalArgumentException("no more");
            }))));
    var replies = stream(channel(server));

    assertThat(replies.next()).isEqualTo(REPLY);
    assertThat(text(failure(replies::hasNext))).isEqualTo("INVALID_ARGUMENT: no more");
  }

  @Test
  void requestsOfAStreamAreReadInALoop() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.bidi(observer ->
            RpcMethod.clientStreaming(observer, (StreamReader<HelloRequest> requests) -> {
              StringBuilder names = new StringBuilder();
              requests.forEach(request -> names.append(request.getName()).append(' '));
              return HelloReply.newBuilder().setMessage(names + "!").build();
            }))));

    try (ClientStream<HelloRequest, HelloReply> stream = bidi(server)) {
      for (String name : new String[] {"Ada", "Grace"}) {
        stream.requests().write(HelloRequest.newBuilder().setName(name).build());
      }
      stream.requests().complete();
      assertThat(stream.replies())
          .containsExactly(HelloReply.newBuilder().setMessage("Ada Grace !").build());
    }
  }

  @Test
  void bidirectionalStreamMayEndBeforeItsRequests() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.bidi(observer ->
            RpcMethod.<HelloRequest, HelloReply>bidiStreaming(observer, (requests, replies) -> {
              replies.write(REPLY);
            }))));

    try (ClientStream<HelloRequest, HelloReply> stream = bidi(server)) {
      assertThat(stream.replies()).containsExactly(REPLY);
      assertThat(text(failure(() -> stream.requests().write(REQUEST))))
          .isEqualTo("CANCELLED: the server has ended the call");
    }
  }

  @Test
  void streamsNeedThreads() throws Exception {
    CompletableFuture<String> refused = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .directExecutor()
        .mapException(IllegalStateException.class, wrong -> {
          refused.complete(String.valueOf(wrong.getMessage()));
          return Status.INTERNAL;
        })
        .addService(TestService.bidi(observer -> RpcMethod.<HelloRequest, HelloReply>bidiStreaming(
            observer, (requests, replies) -> {}))));

    try (ClientStream<HelloRequest, HelloReply> stream = bidi(server)) {
      assertThat(text(failure(() -> stream.replies().iterator().hasNext())))
          .isEqualTo("INTERNAL: null");
    }
    assertThat(refused.get(10, TimeUnit.SECONDS))
        .isEqualTo("streaming needs a handler thread"
            + " (expected: a stream of an RpcServer without directExecutor)");
  }

  private static final class Functions extends GreeterGrpc.GreeterImplBase {
    @Override
    public void sayHello(HelloRequest request, StreamObserver<HelloReply> observer) {
      RpcMethod.unary(observer, () -> REPLY);
    }
  }

  @Test
  void serviceOfFunctionsIsKnownToReflection() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(new Functions()));
    var stub = ServerReflectionGrpc.newStub(channel(server));

    try (ClientStream<ServerReflectionRequest, ServerReflectionResponse> stream =
        ClientStream.open(stub::serverReflectionInfo)) {
      var replies = stream.replies().iterator();
      stream
          .requests()
          .write(ServerReflectionRequest.newBuilder().setListServices("").build());
      assertThat(replies.next().getListServicesResponse().getServiceList())
          .extracting(ServiceResponse::getName)
          .contains("hello.Greeter");

      stream
          .requests()
          .write(ServerReflectionRequest.newBuilder()
              .setFileContainingSymbol("hello.Greeter.SayHello")
              .build());
      var file = FileDescriptorProto.parseFrom(
          replies.next().getFileDescriptorResponse().getFileDescriptorProto(0));
      assertThat(file.getName()).endsWith("hello.proto");
      assertThat(file.getService(0).getMethod(0).getInputType()).isEqualTo(".hello.HelloRequest");
      stream.requests().complete();
      assertThat(replies.hasNext()).isFalse();
    }
  }

  private ClientStream<HelloRequest, HelloReply> bidi(RpcServer server) throws IOException {
    var channel = channel(server);
    return ClientStream.open(
        (StreamObserver<HelloReply> replies) -> ClientCalls.asyncBidiStreamingCall(
            channel.newCall(TestService.BIDI, CallOptions.DEFAULT), replies));
  }
}
