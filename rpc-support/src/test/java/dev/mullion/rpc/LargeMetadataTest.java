package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.rpc.DebugInfo;
import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.util.Collections;
import java.util.Iterator;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Metadata above what the other side takes was an error of HTTP/2, which ended other calls too: a
 * code and its text arrive all the same, and no other call is harmed.
 */
class LargeMetadataTest extends RpcTest {
  private static final Metadata.Key<String> NOTE =
      Metadata.Key.of("note", Metadata.ASCII_STRING_MARSHALLER);
  private static final Metadata.Key<String> PLACE =
      Metadata.Key.of("place", Metadata.ASCII_STRING_MARSHALLER);

  /** How a service comes to say more than fits, of so many bytes. */
  enum Source {
    DETAILS,
    MAPPED,
    TRAILERS,
    TEXT_AND_DETAILS;

    RuntimeException error(int size) {
      DebugInfo info = DebugInfo.newBuilder().setDetail("x".repeat(size)).build();
      Status missing = Status.NOT_FOUND.withDescription("no such order");
      return switch (this) {
        case DETAILS -> ErrorDetails.exception(missing, info);
        case MAPPED -> new IllegalStateException("x".repeat(size));
        case TEXT_AND_DETAILS ->
          ErrorDetails.exception(missing.augmentDescription("y".repeat(size)), info);
        case TRAILERS -> {
          Metadata trailers = new Metadata();
          trailers.put(NOTE, "x".repeat(size));
          trailers.put(PLACE, "shelf 7");
          yield missing.asRuntimeException(trailers);
        }
      };
    }
  }

  /** Who calls, and how much metadata it takes. */
  enum Client {
    GRPC(8192),
    GRPC_OF_LITTLE(1000),
    GRPC_OF_MUCH(100_000),
    OURS(8192),
    OURS_IN_PROCESS(8192);

    private final int takes;

    Client(int takes) {
      this.takes = takes;
    }
  }

  private Channel channel(RpcServerBuilder builder, Client client) throws Exception {
    if (client == Client.OURS_IN_PROCESS) {
      String name = "large-metadata-" + builder.hashCode();
      serving(builder.inProcessName(name).start());
      return closing(RpcChannel.builder().inProcessName(name).build());
    }
    int port = start(builder).port();
    return client == Client.OURS
        ? closing(RpcChannel.builder().address("127.0.0.1", port).build())
        : channel(
            NettyChannelBuilder.forAddress("127.0.0.1", port).maxInboundMetadataSize(client.takes));
  }

  /** The unary method fails with so many bytes; the stream has one reply, and then waits. */
  private RpcServerBuilder server(Source source) {
    return RpcServer.builder()
        .mapExceptionWithDetails(IllegalStateException.class, thrown -> (StatusRuntimeException)
            Source.DETAILS.error(requireNonNull(thrown.getMessage()).length()))
        .addService(service((request, replies) -> RpcMethod.unary(replies, () -> {
          throw source.error(Integer.parseInt(request.getName()));
        })));
  }

  private ServerServiceDefinition service(ServerCalls.UnaryMethod<HelloRequest, HelloReply> unary) {
    return ServerServiceDefinition.builder(ServiceDescriptor.newBuilder("test.Service")
            .addMethod(TestService.UNARY)
            .addMethod(TestService.STREAM)
            .build())
        .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall(unary))
        .addMethod(TestService.STREAM, ServerCalls.asyncServerStreamingCall(this::twoReplies))
        .build();
  }

  private void twoReplies(HelloRequest request, StreamObserver<HelloReply> replies) {
    replies.onNext(HelloReply.getDefaultInstance());
    awaitRelease();
    replies.onNext(HelloReply.getDefaultInstance());
    replies.onCompleted();
  }

  private static StatusRuntimeException failing(Channel channel, int size) {
    return catchThrowableOfType(
        StatusRuntimeException.class,
        () -> call(
            channel,
            TestService.UNARY,
            HelloRequest.newBuilder().setName(String.valueOf(size)).build()));
  }

  /** A call that is open all the time goes on. */
  private void unharmed(Iterator<HelloReply> other) {
    released.countDown();
    assertThat(other.hasNext()).isTrue();
    other.next();
    assertThat(other.hasNext()).isFalse();
  }

  private static Iterator<HelloReply> begun(Channel channel) {
    Iterator<HelloReply> replies = stream(channel);
    replies.next();
    return replies;
  }

  @ParameterizedTest
  @EnumSource
  void codeAndTextArriveWhateverIsSaidBesideThem(Client client) throws Exception {
    for (Source source : Source.values()) {
      Channel channel = channel(server(source), client);
      Iterator<HelloReply> other =
          source == Source.DETAILS ? begun(channel) : Collections.emptyIterator();
      for (int size :
          new int[] {10, 500, client.takes - 300, client.takes, 9_000, 50_000, 300_000}) {
        StatusRuntimeException failed = failing(channel, size);

        assertThat(text(failed.getStatus()))
            .as("%s with %s", source, size)
            .startsWith("NOT_FOUND: no such order");
        boolean whole = ErrorDetails.find(failed, DebugInfo.class).isPresent()
            || failed.getTrailers().containsKey(NOTE);
        assertThat(whole || failed.getStatus().getDescription().contains("left out: "))
            .as("%s with %s is whole or says that it is not", source, size)
            .isTrue();
        if (size <= 10 || (size < client.takes / 2 - 1000 && source != Source.TEXT_AND_DETAILS)) {
          assertThat(whole).isTrue();
        }
        if (source == Source.TRAILERS && client != Client.OURS) {
          assertThat(failed.getTrailers().get(PLACE)).isEqualTo("shelf 7");
        }
      }
      if (source == Source.DETAILS) {
        unharmed(other);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Client.class,
      names = {"GRPC", "OURS"})
  void replyWithTooMuchMetadataFailsAloneAndInWords(Client client) throws Exception {
    ServerInterceptor chatty = new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        boolean unary = call.getMethodDescriptor().getType().clientSendsOneMessage()
            && call.getMethodDescriptor().getType().serverSendsOneMessage();
        return next.startCall(
            new SimpleForwardingServerCall<>(call) {
              @Override
              public void sendHeaders(Metadata sent) {
                if (unary) {
                  sent.put(NOTE, "x".repeat(40_000));
                }
                super.sendHeaders(sent);
              }
            },
            headers);
      }
    };
    Channel channel = channel(
        RpcServer.builder().intercept(chatty).addService(service((request, replies) -> {
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })),
        client);
    Iterator<HelloReply> other = begun(channel);

    assertThat(text(failure(() -> call(channel))))
        .startsWith("RESOURCE_EXHAUSTED: outbound metadata of ")
        .contains(" bytes exceeds the client's limit of ");
    unharmed(other);
  }

  @ParameterizedTest
  @EnumSource(
      value = Source.class,
      names = {"DETAILS", "TRAILERS"})
  void channelKeepsCodeAndTextOfAnyServer(Source source) throws Exception {
    Server plain = NettyServerBuilder.forPort(0)
        .addService(service((request, replies) ->
            replies.onError(source.error(Integer.parseInt(request.getName())))))
        .build()
        .start();
    closing(() -> plain.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", plain.getPort()).build());
    Iterator<HelloReply> other = begun(channel);

    for (int size : new int[] {10, 9_000, 40_000}) {
      StatusRuntimeException failed = failing(channel, size);
      assertThat(failed.getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND);
      assertThat(failed.getStatus().getDescription()).startsWith("no such order");
    }
    unharmed(other);
  }

  @Test
  void requestWithTooMuchMetadataFailsAloneAndInWords() throws Exception {
    Server plain = NettyServerBuilder.forPort(0)
        .addService(service((request, replies) -> {
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        }))
        .build()
        .start();
    closing(() -> plain.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", plain.getPort()).build());
    Iterator<HelloReply> other = begun(channel);

    for (int size : new int[] {9_000, 70_000, 200_000}) {
      Metadata large = new Metadata();
      large.put(NOTE, "x".repeat(size));
      assertThat(text(failure(() -> call(ClientInterceptors.intercept(
              channel, MetadataUtils.newAttachHeadersInterceptor(large))))))
          .startsWith("RESOURCE_EXHAUSTED: outbound metadata exceeds the server's limit: ");
      assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    }
    unharmed(other);
  }

  /** A reply that was complete at once succeeded whatever its headers were. */
  @Test
  void completeReplyWithTooMuchMetadataFails() throws Exception {
    Metadata large = new Metadata();
    large.put(NOTE, "x".repeat(20_000));
    Server plain = NettyServerBuilder.forPort(0)
        .directExecutor()
        .addService(service((request, replies) -> {
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        }))
        .intercept(MetadataUtils.newAttachMetadataServerInterceptor(large))
        .build()
        .start();
    closing(() -> plain.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", plain.getPort()).build());

    assertThat(text(failure(() -> call(channel))))
        .matches("RESOURCE_EXHAUSTED: inbound metadata of \\d+ bytes exceeds"
            + " maxInboundMetadataSize 8192");
  }

  /** Nothing is kept of connections that are gone. */
  @Test
  void manyConnectionsLeaveNothing() throws Exception {
    RpcServer server = start(server(Source.DETAILS));
    for (int i = 0; i < 20; i++) {
      ManagedChannel channel = channel(server);
      assertThat(failing(channel, 10).getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND);
      channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    }
    Await.until("all are gone", () -> server.counters().connectionsOpen() == 0);
    assertThat(server.counters().callsOpen()).isZero();
  }
}
