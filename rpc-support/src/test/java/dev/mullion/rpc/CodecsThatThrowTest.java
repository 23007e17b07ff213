package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Codec;
import io.grpc.CompressorRegistry;
import io.grpc.DecompressorRegistry;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.FilterOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whatever a compression of the user's own throws, or a marshaller of a channel: the call ends
 * once, with a status, and others of its connection go on.
 */
class CodecsThatThrowTest extends RpcTest {
  /** Held strongly, or the level would be forgotten. */
  private static final List<Logger> LOGGERS =
      List.of(Logger.getLogger("io.grpc"), Logger.getLogger(ExceptionMapping.class.getName()));

  enum Moment {
    BEGIN,
    WRITE,
    CLOSE
  }

  record Row(boolean stream, Moment moment, ThrownByUsersTest.Kind kind) {
    String encoding() {
      return ("throws-" + moment + "-" + kind).toLowerCase(Locale.ROOT).replace('_', '-');
    }
  }

  static List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    for (Moment moment : Moment.values()) {
      for (ThrownByUsersTest.Kind kind : ThrownByUsersTest.Kind.values()) {
        rows.add(new Row(false, moment, kind));
        rows.add(new Row(true, moment, kind));
      }
    }
    return rows;
  }

  /** Compresses nothing. */
  private record Throwing(Row row) implements Codec {
    @Override
    public String getMessageEncoding() {
      return row.encoding();
    }

    @Override
    public InputStream decompress(InputStream compressed) {
      return compressed;
    }

    @Override
    public OutputStream compress(OutputStream out) {
      throwIf(Moment.BEGIN);
      return new FilterOutputStream(out) {
        @Override
        public void write(int one) {
          throwIf(Moment.WRITE);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) {
          throwIf(Moment.WRITE);
        }

        @Override
        public void close() {
          throwIf(Moment.CLOSE);
        }
      };
    }

    private void throwIf(Moment at) {
      if (row.moment == at) {
        throw row.kind.thrown();
      }
    }
  }

  private static DecompressorRegistry known(Row row) {
    return DecompressorRegistry.getDefaultInstance().with(new Throwing(row), true);
  }

  @BeforeEach
  void quiet() {
    LOGGERS.forEach(each -> each.setLevel(Level.OFF));
  }

  @AfterEach
  void loud() {
    LOGGERS.forEach(each -> each.setLevel(null));
  }

  /** One that goes on while others fail. */
  private final class Neighbour {
    private final ClientStream<HelloRequest, HelloReply> stream;
    private final Iterator<HelloReply> replies;

    Neighbour(Channel channel) {
      stream = closing(ClientStream.open(replies -> ClientCalls.asyncBidiStreamingCall(
          channel.newCall(TestService.BIDI, CallOptions.DEFAULT), replies)));
      replies = stream.replies().iterator();
    }

    void assertGoesOn() {
      stream.requests().write(REQUEST);
      assertThat(replies.next()).isEqualTo(HelloReply.getDefaultInstance());
    }
  }

  private static Status failure(Row row, Channel channel, CallOptions options) {
    return failure(() -> ClientCalls.blockingServerStreamingCall(
            channel,
            row.stream ? TestService.STREAM : TestService.UNARY,
            options.withDeadlineAfter(20, TimeUnit.SECONDS),
            REQUEST)
        .forEachRemaining(each -> {}));
  }

  private static void assertEnded(Status status) {
    assertThat(status.getCode())
        .as("%s", status)
        .isNotIn(Status.Code.OK, Status.Code.DEADLINE_EXCEEDED);
  }

  private static ServerServiceDefinition service(String encoding) {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(
            TestService.UNARY,
            ServerCalls.asyncUnaryCall((HelloRequest request, StreamObserver<HelloReply> to) ->
                reply(encoding, to, false)))
        .addMethod(
            TestService.STREAM,
            ServerCalls.asyncServerStreamingCall(
                (HelloRequest request, StreamObserver<HelloReply> to) -> reply(encoding, to, true)))
        .addMethod(
            TestService.BIDI,
            ServerCalls.asyncBidiStreamingCall((StreamObserver<HelloReply> to) ->
                RpcMethod.<HelloRequest, HelloReply>bidiStreaming(
                    to,
                    (requests, replies) ->
                        requests.forEach(each -> replies.write(HelloReply.getDefaultInstance())))))
        .build();
  }

  private static void reply(String encoding, StreamObserver<HelloReply> to, boolean stream) {
    ((ServerCallStreamObserver<HelloReply>) to).setCompression(encoding);
    if (stream) {
      RpcMethod.serverStreaming(to, replies -> {
        for (int i = 0; i < 3; i++) {
          replies.write(TestService.reply(5_000));
        }
      });
    } else {
      RpcMethod.unary(to, () -> TestService.reply(5_000));
    }
  }

  @ParameterizedTest
  @MethodSource("rows")
  void replyOfAServer(Row row) throws Exception {
    CompressorRegistry.getDefaultInstance().register(new Throwing(row));
    RpcServer server = start(RpcServer.builder().addService(service(row.encoding())));
    Channel channel = channel(NettyChannelBuilder.forAddress("127.0.0.1", server.port())
        .decompressorRegistry(known(row)));
    Neighbour neighbour = new Neighbour(channel);

    for (int i = 0; i < 3; i++) {
      assertEnded(failure(row, channel, CallOptions.DEFAULT));
      neighbour.assertGoesOn();
    }

    neighbour.stream.requests().complete();
    assertThat(neighbour.replies.hasNext()).isFalse();
    RpcCounters counters = server.counters();
    Await.until("no call is left", () -> counters.callsOpen() == 0);
    Await.until("no reply waits", () -> counters.replyBytesPending() == 0);
    assertThat(counters.callsFailed()).isEqualTo(3);
    assertThat(counters.callsSucceeded()).isEqualTo(1);
  }

  /** The first call waits for its connection, the others do not. */
  @ParameterizedTest
  @MethodSource("rows")
  void requestOfAChannel(Row row) throws Exception {
    CompressorRegistry.getDefaultInstance().register(new Throwing(row));
    Server server = NettyServerBuilder.forPort(0)
        .decompressorRegistry(known(row))
        .addService(plainService())
        .build()
        .start();
    closing(() -> server.shutdownNow().awaitTermination());
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.getPort()).build());
    CallOptions compressed = CallOptions.DEFAULT.withCompression(row.encoding());

    assertEnded(failure(row, channel, compressed));
    Neighbour neighbour = new Neighbour(channel);
    for (int i = 0; i < 3; i++) {
      assertEnded(failure(row, channel, compressed));
      neighbour.assertGoesOn();
    }
  }

  /** No message of a call that fails ever comes. */
  private static ServerServiceDefinition plainService() {
    return ServerServiceDefinition.builder("test.Service")
        .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall((request, to) -> {}))
        .addMethod(TestService.STREAM, ServerCalls.asyncServerStreamingCall((request, to) -> {}))
        .addMethod(
            TestService.BIDI,
            ServerCalls.asyncBidiStreamingCall(
                (StreamObserver<HelloReply> to) -> new StreamObserver<HelloRequest>() {
                  @Override
                  public void onNext(HelloRequest request) {
                    to.onNext(HelloReply.getDefaultInstance());
                  }

                  @Override
                  public void onError(Throwable error) {}

                  @Override
                  public void onCompleted() {
                    to.onCompleted();
                  }
                }))
        .build();
  }

  private record Broken<T>(MethodDescriptor.Marshaller<T> whole, boolean out, Row row)
      implements MethodDescriptor.Marshaller<T> {
    @Override
    public InputStream stream(T value) {
      if (out && row.moment == Moment.BEGIN) {
        throw row.kind.thrown();
      }
      return out ? throwing() : whole.stream(value);
    }

    @Override
    public T parse(InputStream stream) {
      if (!out) {
        throw row.kind.thrown();
      }
      return whole.parse(stream);
    }

    private InputStream throwing() {
      return new InputStream() {
        @Override
        public int read() {
          throw row.kind.thrown();
        }

        @Override
        public int read(byte[] target, int offset, int length) {
          throw row.kind.thrown();
        }
      };
    }
  }

  @ParameterizedTest
  @MethodSource("rows")
  void marshallerOfAChannel(Row row) throws Exception {
    RpcServer server = start(RpcServer.builder().addService(service("identity")));
    RpcChannel channel =
        closing(RpcChannel.builder().address("127.0.0.1", server.port()).build());
    MethodDescriptor<HelloRequest, HelloReply> method =
        row.stream ? TestService.STREAM : TestService.UNARY;
    MethodDescriptor<HelloRequest, HelloReply> ofRequest = method.toBuilder(
            new Broken<>(method.getRequestMarshaller(), true, row), method.getResponseMarshaller())
        .build();
    MethodDescriptor<HelloRequest, HelloReply> ofReply = method.toBuilder(
            method.getRequestMarshaller(), new Broken<>(method.getResponseMarshaller(), false, row))
        .build();

    Neighbour neighbour = new Neighbour(channel);
    for (MethodDescriptor<HelloRequest, HelloReply> each : List.of(ofRequest, ofReply)) {
      assertEnded(failure(
          () -> ClientCalls.blockingServerStreamingCall(channel, each, CallOptions.DEFAULT, REQUEST)
              .forEachRemaining(reply -> {})));
      neighbour.assertGoesOn();
    }

    neighbour.stream.requests().complete();
    Await.until("no call is left", () -> server.counters().callsOpen() == 0);
    assertThat(server.counters().replyBytesPending()).isZero();
  }
}
