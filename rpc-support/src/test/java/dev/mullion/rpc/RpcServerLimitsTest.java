package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client sees of each limit. */
class RpcServerLimitsTest extends RpcTest {
  private static void empty(HelloRequest request, StreamObserver<HelloReply> replies) {
    replies.onNext(HelloReply.getDefaultInstance());
    replies.onCompleted();
  }

  @ParameterizedTest
  @ValueSource(ints = {1001, 5000, 10_000_000})
  void inboundMessageAboveItsLimitIsNamed(int size) throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxInboundMessageSize(1000)
        .addService(TestService.unary(RpcServerLimitsTest::empty)));
    ManagedChannel channel = channel(server);

    assertThat(call(channel, TestService.UNARY, TestService.request(1000)))
        .isEqualTo(HelloReply.getDefaultInstance());
    assertThat(text(failure(() -> call(channel, TestService.UNARY, TestService.request(size)))))
        .isEqualTo("RESOURCE_EXHAUSTED: inbound message of "
            + size
            + " bytes exceeds maxInboundMessageSize 1000");
    // The connection is still good.
    assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
  }

  /**
   * Clients that stand on gRPC's core in C take a reset for the end of the call, unless it is no
   * error.
   */
  @Test
  void resetBehindAStatusIsNoError() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxInboundMessageSize(1000)
        .addService(TestService.bidi(RpcServerLimitsTest::echo)));

    try (Http2Frames client =
        new Http2Frames(new Socket(InetAddress.getLoopbackAddress(), server.port()))) {
      client.sendPreface();
      client.send(Http2Frames.SETTINGS, 0, 0);
      client.sendCall(1, "/test.Service/Bidi");
      byte[] empty = {0, 0, 0, 0, 0};
      client.send(Http2Frames.DATA, 0, 1, empty);
      client.read(Http2Frames.DATA);
      byte[] of1001Bytes = {0, 0, 0, 3, (byte) 0xE9};
      client.send(Http2Frames.DATA, 0, 1, of1001Bytes);

      assertThat(new String(client.read(Http2Frames.HEADERS), US_ASCII))
          .contains("inbound message of 1001 bytes exceeds maxInboundMessageSize 1000");
      byte[] noError = {0, 0, 0, 0};
      assertThat(client.read(Http2Frames.RST_STREAM)).isEqualTo(noError);
    }
  }

  @Test
  void messageIsMeasuredDecompressed() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxInboundMessageSize(1000)
        .addService(TestService.unary(RpcServerLimitsTest::empty)));
    CallOptions gzip = CallOptions.DEFAULT.withCompression("gzip");
    ManagedChannel channel = channel(server);

    assertThat(text(failure(() -> ClientCalls.blockingUnaryCall(
            channel, TestService.UNARY, gzip, TestService.request(50_000)))))
        .isEqualTo("RESOURCE_EXHAUSTED: inbound message of more than 1000 bytes exceeds "
            + "maxInboundMessageSize 1000");
  }

  @Test
  void inboundMessageOfAStreamIsNamedAfterOthers() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxInboundMessageSize(1000)
        .addService(TestService.bidi(RpcServerLimitsTest::echo)));
    Replies replies = new Replies();

    StreamObserver<HelloRequest> requests = ClientCalls.asyncBidiStreamingCall(
        channel(server).newCall(TestService.BIDI, CallOptions.DEFAULT), replies);
    requests.onNext(TestService.request(1000));
    Await.until("the echo has come", () -> replies.size() == 1);
    requests.onNext(TestService.request(1001));

    assertThat(text(replies.ended.get()))
        .isEqualTo("RESOURCE_EXHAUSTED: inbound message of 1001 bytes exceeds "
            + "maxInboundMessageSize 1000");
  }

  private static StreamObserver<HelloRequest> echo(StreamObserver<HelloReply> replies) {
    return new StreamObserver<>() {
      @Override
      public void onNext(HelloRequest request) {
        replies.onNext(HelloReply.newBuilder().setMessage(request.getName()).build());
      }

      @Override
      public void onError(Throwable error) {}

      @Override
      public void onCompleted() {
        replies.onCompleted();
      }
    };
  }

  private static final class Replies implements StreamObserver<HelloReply> {
    private final List<HelloReply> replies = new ArrayList<>();
    final CompletableFuture<Status> ended = new CompletableFuture<>();

    synchronized int size() {
      return replies.size();
    }

    @Override
    public synchronized void onNext(HelloReply reply) {
      replies.add(reply);
    }

    @Override
    public void onError(Throwable error) {
      ended.complete(Status.fromThrowable(error));
    }

    @Override
    public void onCompleted() {
      ended.complete(Status.OK);
    }
  }

  @Test
  void outboundMessageAboveItsLimitIsNamed() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxOutboundMessageSize(1000)
        .addService(TestService.unary((request, replies) -> {
          replies.onNext(TestService.reply(Integer.parseInt(request.getName())));
          replies.onCompleted();
        })));
    ManagedChannel channel = channel(server);

    assertThat(call(channel, TestService.UNARY, named("1000")).getSerializedSize())
        .isEqualTo(1000);
    assertThat(text(failure(() -> call(channel, TestService.UNARY, named("1001")))))
        .isEqualTo("RESOURCE_EXHAUSTED: outbound message of 1001 bytes exceeds "
            + "maxOutboundMessageSize 1000");
  }

  private static HelloRequest named(String name) {
    return HelloRequest.newBuilder().setName(name).build();
  }

  @Test
  void outboundMessageOfAStreamIsNamedAfterOthersAndEndsTheService() throws Exception {
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    RpcServer server = start(RpcServer.builder()
        .maxOutboundMessageSize(1000)
        .addService(TestService.stream((request, replies) -> {
          try {
            replies.onNext(TestService.reply(1000));
            replies.onNext(TestService.reply(1001));
          } catch (StatusRuntimeException e) {
            thrown.set(e);
            throw e;
          }
        })));

    Iterator<HelloReply> replies = stream(channel(server));

    String expected =
        "RESOURCE_EXHAUSTED: outbound message of 1001 bytes exceeds maxOutboundMessageSize 1000";
    assertThat(replies.next().getSerializedSize()).isEqualTo(1000);
    assertThat(text(failure(replies::hasNext))).isEqualTo(expected);
    Await.until("the service was told", () -> thrown.get() != null);
    assertThat(thrown.get()).hasMessage(expected);
  }

  /** The transport would say of the first one that HTTP has failed, and of the other nothing. */
  @ParameterizedTest
  @ValueSource(ints = {2000, 50_000})
  void metadataAboveItsLimitIsNamed(int size) throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxInboundMetadataSize(2000)
        .addService(TestService.unary(RpcServerLimitsTest::empty)));
    ManagedChannel channel = channel(server);

    assertThat(text(failure(() -> callWithMetadata(channel, size))))
        .matches("RESOURCE_EXHAUSTED: inbound metadata of \\d+ bytes exceeds "
            + "maxInboundMetadataSize 2000");
    assertThat(callWithMetadata(channel, 1000)).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(server.counters().connectionsOpened()).isEqualTo(1);
  }

  @Test
  void metadataOfAStreamAndOfHealthIsLimitedToo() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .inProcessName("metadata-limit")
        .maxInboundMetadataSize(512)
        .addService(TestService.stream((request, replies) -> replies.onCompleted())));
    RpcChannel channel =
        closing(RpcChannel.builder().inProcessName("metadata-limit").build());
    Channel tooMuch = withMetadata(channel, 480);
    String expected = "RESOURCE_EXHAUSTED: inbound metadata of \\d+ bytes exceeds "
        + "maxInboundMetadataSize 512";

    assertThat(server.port()).isEqualTo(-1);
    assertThat(text(failure(() -> stream(tooMuch).hasNext()))).matches(expected);
    assertThat(text(failure(() -> RpcServerTest.health(tooMuch, "")))).matches(expected);
    assertThat(stream(channel).hasNext()).isFalse();
  }

  private static HelloReply callWithMetadata(Channel channel, int size) {
    return call(withMetadata(channel, size));
  }

  private static Channel withMetadata(Channel channel, int size) {
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of("long", Metadata.ASCII_STRING_MARSHALLER), "v".repeat(size));
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  @Test
  void callsThatAreTooManyAreRefusedAtOnceThoughNoThreadIsFree() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxCalls(2)
        .maxHandlerThreads(1)
        .addService(TestService.unary((request, replies) -> {
          awaitRelease();
          empty(request, replies);
        })));
    ManagedChannel channel = channel(server);
    CompletableFuture<HelloReply> first = Threads.call(() -> call(channel));
    CompletableFuture<HelloReply> second = Threads.call(() -> call(channel));
    Await.until("two calls are open", () -> server.counters().callsOpen() == 2);

    AtomicReference<Metadata> trailers = new AtomicReference<>(new Metadata());
    Status refused = failure(() -> ClientCalls.blockingUnaryCall(
        ClientInterceptors.intercept(
            channel,
            MetadataUtils.newCaptureMetadataInterceptor(new AtomicReference<>(), trailers)),
        TestService.UNARY,
        CallOptions.DEFAULT,
        REQUEST));

    assertThat(text(refused)).isEqualTo("RESOURCE_EXHAUSTED: too many calls, maxCalls 2");
    assertThat(Integer.parseInt(requireNonNull(requireNonNull(trailers.get())
            .get(Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER)))))
        .isBetween(50, 150);
    assertThat(RpcServerTest.health(channel, "")).isEqualTo(ServingStatus.SERVING);
    released.countDown();
    assertThat(first.get()).isEqualTo(second.get());
    Await.until("the calls have ended", () -> server.counters().callsOpen() == 0);
    assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    Await.until("the call has ended", () -> server.counters().callsSucceeded() == 3);
    assertThat(server.counters().callsRefused()).isEqualTo(1);
    assertThat(server.counters().callsStarted()).isEqualTo(3);
    assertThat(server.counters().callsFailed()).isZero();
  }

  @Test
  void thousandCallsTooManyAreAllRefusedWhileTheOthersWait() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxCalls(100)
        .maxHandlerThreads(10)
        .maxCallsPerConnection(2000)
        .addService(TestService.unary((request, replies) -> {
          awaitRelease();
          empty(request, replies);
        })));
    ManagedChannel channel = channel(server);
    List<Replies> calls = new ArrayList<>();
    long begin = System.nanoTime();
    for (int i = 0; i < 1100; i++) {
      Replies replies = new Replies();
      calls.add(replies);
      ClientCalls.asyncUnaryCall(
          channel.newCall(TestService.UNARY, CallOptions.DEFAULT), REQUEST, replies);
    }

    Await.until("1000 are refused", () -> endedWith(calls, Status.Code.RESOURCE_EXHAUSTED) == 1000);
    Duration took = Duration.ofNanos(System.nanoTime() - begin);
    System.out.println("1000 calls too many were refused within " + took.toMillis() + " ms");
    assertThat(took).isLessThan(Duration.ofSeconds(20));
    assertThat(endedWith(calls, Status.Code.OK)).isZero();
    released.countDown();
    Await.until("100 are answered", () -> endedWith(calls, Status.Code.OK) == 100);
    assertThat(server.counters().callsRefused()).isEqualTo(1000);
  }

  private static long endedWith(List<Replies> calls, Status.Code code) {
    return calls.stream()
        .filter(each -> each.ended.getNow(Status.UNKNOWN).getCode() == code)
        .count();
  }

  @Test
  void slotOfACancelledCallIsFreeAgain() throws Exception {
    RpcServer server = start(
        RpcServer.builder().maxCalls(1).addService(TestService.stream((request, replies) -> {})));
    ManagedChannel channel = channel(server);

    for (int i = 0; i < 20; i++) {
      var call = channel.newCall(TestService.STREAM, CallOptions.DEFAULT);
      ClientCalls.asyncServerStreamingCall(call, REQUEST, new Replies());
      if (i % 2 == 0) {
        int started = i + 1;
        Await.until("it has come", () -> server.counters().callsOpen() == 1);
        assertThat(server.counters().callsStarted()).isLessThanOrEqualTo(started);
      }
      call.cancel("enough", null);
      Await.until("its slot is free", () -> server.counters().callsOpen() == 0);
    }
    assertThat(server.counters().callsRefused()).isZero();
  }
}
