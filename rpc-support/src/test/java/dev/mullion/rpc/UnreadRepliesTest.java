package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.net.StopReport;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Headers;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients that do not read. A timeout ended their calls in name only: what waited for them was sent
 * all the same, and until then each kept its place and its memory.
 */
class UnreadRepliesTest extends RpcTest {
  private static final int REPLY = 100_000;
  private static final String TOO_MANY =
      "RESOURCE_EXHAUSTED: too many bytes of replies pending," + " maxPendingReplyBytes 100000";

  private static RpcServerBuilder large() {
    return RpcServer.builder()
        .addService(new GreeterService())
        .addService(TestService.unary((request, replies) -> {
          replies.onNext(TestService.reply(REPLY));
          replies.onCompleted();
        }));
  }

  private static RpcServerBuilder endless() {
    return RpcServer.builder()
        .addService(TestService.stream((request, replies) ->
            RpcMethod.serverStreaming(replies, writer -> {
              while (true) {
                writer.write(TestService.reply(REPLY));
              }
            })));
  }

  /** Returns a client whose windows are shut. */
  private Http2Frames shut(RpcServer server) throws IOException {
    Http2Frames client =
        closing(new Http2Frames(new Socket(InetAddress.getLoopbackAddress(), server.port())));
    client.sendPreface();
    client.send(Http2Frames.SETTINGS, 0, 0, new byte[] {0, 4, 0, 0, 0, 0});
    return client;
  }

  /** Returns a client whose windows are as wide as can be, and whose socket takes little. */
  private Http2Frames wide(RpcServer server) throws IOException {
    Socket socket = new Socket();
    socket.setReceiveBufferSize(4096);
    socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
    Http2Frames client = closing(new Http2Frames(socket));
    client.sendPreface();
    client.send(Http2Frames.SETTINGS, 0, 0, new byte[] {0, 4, 0x7f, -1, -1, -1});
    client.send(Http2Frames.WINDOW_UPDATE, 0, 0, new byte[] {0x7f, 0, 0, 0});
    return client;
  }

  /**
   * Its last frame could not be written, and HTTP/2 waited for that before it closed the socket.
   */
  @Test
  void stopClosesTheConnectionOfAPeerThatReadsNothing() throws Exception {
    AtomicInteger written = new AtomicInteger();
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.stream((request, replies) ->
            RpcMethod.serverStreaming(replies, writer -> {
              while (true) {
                writer.write(TestService.reply(REPLY));
                written.incrementAndGet();
              }
            }))));
    Http2Frames client = wide(server);
    call(client, 1, TestService.STREAM);
    AtomicInteger before = new AtomicInteger();
    Await.until("the socket is full", () -> {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(300));
      int now = written.get();
      return now > 0 && before.getAndSet(now) == now;
    });

    StopReport report = server.stop(Duration.ofMillis(100));

    assertThat(report.cut()).isEqualTo(1);
    assertThat(server.isTerminated()).isTrue();
    assertThat(server.counters().connectionsOpen()).isZero();
    assertThat(server.counters().replyBytesPending()).isZero();
  }

  /** The same for a channel, which kept what it had to send as well. */
  @Test
  void closeEndsTheConnectionToAServerThatReadsNothing() throws Exception {
    try (ServerSocket listening = new ServerSocket()) {
      listening.setReceiveBufferSize(4096);
      listening.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      RpcChannel channel = RpcChannel.builder()
          .address("127.0.0.1", listening.getLocalPort())
          .closeTimeout(Duration.ofMillis(50))
          .build();
      ClientCall<HelloRequest, HelloReply> call =
          channel.newCall(TestService.BIDI, CallOptions.DEFAULT);
      call.start(new ClientCall.Listener<>() {}, new Metadata());
      Http2Frames server = closing(new Http2Frames(listening.accept()));
      server.send(Http2Frames.SETTINGS, 0, 0, new byte[] {0, 4, 0x7f, -1, -1, -1});
      server.send(Http2Frames.WINDOW_UPDATE, 0, 0, new byte[] {0x7f, 0, 0, 0});
      for (int i = 0; i < 200; i++) {
        call.sendMessage(TestService.request(REPLY));
      }

      channel.close();

      Await.until("nothing is left", channel::isTerminated);
    }
  }

  private static void call(Http2Frames client, int stream, MethodDescriptor<?, ?> method)
      throws IOException {
    client.sendCall(stream, "/" + method.getFullMethodName());
    client.send(Http2Frames.DATA, Http2Frames.END_STREAM, stream, new byte[5]);
  }

  /** Reads until so many streams are reset, and returns their trailers, which come before that. */
  private static Map<Integer, String> resets(Http2Frames client, int count) throws Exception {
    DefaultHttp2HeadersDecoder decoder = new DefaultHttp2HeadersDecoder();
    Map<Integer, String> trailers = new TreeMap<>();
    for (int resets = 0; resets < count; ) {
      Http2Frames.Frame frame = client.next();
      if (frame.type() == Http2Frames.HEADERS) {
        Http2Headers headers =
            decoder.decodeHeaders(frame.stream(), Unpooled.wrappedBuffer(frame.payload()));
        if (frame.endsStream()) {
          Status status = Status.fromCodeValue(
                  Integer.parseInt(headers.get("grpc-status").toString()))
              .withDescription(headers.get("grpc-message").toString());
          trailers.put(frame.stream(), text(status));
        }
      } else if (frame.type() == Http2Frames.RST_STREAM) {
        assertThat(frame.payload()).as("NO_ERROR").isEqualTo(new byte[4]);
        assertThat(trailers).as("before the reset").containsKey(frame.stream());
        resets++;
      }
    }
    return trailers;
  }

  private static void assertNothingWaits(RpcServer server) throws Exception {
    RpcCounters counters = server.counters();
    Await.until("no call is open", () -> counters.callsOpen() == 0);
    Await.until("no reply waits", () -> counters.replyBytesPending() == 0);
  }

  @Test
  void unreadRepliesEndAtTheTimeout() throws Exception {
    RpcServer server = start(large().maxCalls(3).defaultTimeout(Duration.ofSeconds(1)));
    Http2Frames client = shut(server);
    for (int stream = 1; stream < 6; stream += 2) {
      call(client, stream, TestService.UNARY);
    }

    String late = "DEADLINE_EXCEEDED: call took longer than defaultTimeout PT1S";
    assertThat(resets(client, 3)).isEqualTo(Map.of(1, late, 3, late, 5, late));
    assertNothingWaits(server);
    assertThat(server.counters().callsTimedOut()).isEqualTo(3);
    assertThat(server.counters().repliesDropped()).isEqualTo(3);
    assertThat(server.counters().callsEnded(Status.Code.DEADLINE_EXCEEDED)).isEqualTo(3);
    assertThat(GreeterClient.of(channel(server)).sayHello("x")).isEqualTo("Hello, x!");
  }

  @Test
  void unreadReplyEndsAtTheClientsOwnDeadline() throws Exception {
    RpcServer server = start(large());
    Http2Frames client = shut(server);
    client.sendHeaders(
        1,
        Http2Frames.END_HEADERS,
        MalformedCallsTest.headers(
            List.of("grpc-timeout", "1S", ":path", "/" + TestService.UNARY.getFullMethodName())));
    client.send(Http2Frames.DATA, Http2Frames.END_STREAM, 1, new byte[5]);

    client.read(Http2Frames.RST_STREAM);

    assertNothingWaits(server);
    assertThat(server.counters().callsEnded(Status.Code.DEADLINE_EXCEEDED)).isEqualTo(1);
  }

  /** Its windows are open, but nobody reads the socket: not even the reset goes out. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void unreadSocketEndsNoLater(boolean deadlineOfClient) throws Exception {
    // Made once: ten at once would keep a busy machine from all else.
    HelloReply reply = TestService.reply(4_000_000);
    AtomicInteger inside = new AtomicInteger();
    RpcServer server = start(RpcServer.builder()
        .maxPendingReplyBytes(1_000_000_000)
        .defaultTimeout(Duration.ofMillis(deadlineOfClient ? 3_600_000 : 500))
        .addService(TestService.unary((request, replies) -> {
          inside.incrementAndGet();
          try {
            replies.onNext(reply);
            replies.onCompleted();
          } finally {
            inside.decrementAndGet();
          }
        })));
    Http2Frames client = wide(server);
    for (int stream = 1; stream < 20; stream += 2) {
      client.sendHeaders(
          stream,
          Http2Frames.END_HEADERS,
          MalformedCallsTest.headers(List.of(
              deadlineOfClient ? "grpc-timeout" : "x-other",
              "500m",
              ":path",
              "/" + TestService.UNARY.getFullMethodName())));
      client.send(Http2Frames.DATA, Http2Frames.END_STREAM, stream, new byte[5]);
    }
    Await.until("all have come", () -> server.counters().callsStarted() == 10);

    assertNothingWaits(server);
    assertThat(server.counters().connectionsOpen()).isEqualTo(1);
    // What a handler still passes to gRPC after the end of the server would be lost there.
    Await.until("no handler is inside", () -> inside.get() == 0);
  }

  /**
   * The socket is full, and the end of a call waits in front of it: no reply is dropped, although
   * the stream is still open.
   */
  @Test
  void endThatWaitsInFrontOfTheSocketIsWrittenOnce() throws Exception {
    CompletableFuture<Void> full = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .timeout(TestService.UNARY, Duration.ofMillis(100))
        .addService(ServerServiceDefinition.builder("test.Service")
            .addMethod(
                TestService.STREAM,
                ServerCalls.asyncServerStreamingCall(
                    (HelloRequest request, StreamObserver<HelloReply> replies) -> {
                      fill((ServerCallStreamObserver<HelloReply>) replies);
                      full.complete(null);
                    }))
            .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall((request, replies) -> {}))
            .build()));
    Http2Frames client = wide(server);
    call(client, 1, TestService.STREAM);
    full.get(20, TimeUnit.SECONDS);

    call(client, 3, TestService.UNARY);
    Await.until(
        "it has ended", () -> server.counters().callsEnded(Status.Code.DEADLINE_EXCEEDED) == 1);
    client.send(Http2Frames.PING, 0, 0, new byte[8]);

    List<Integer> ofTheCall = new ArrayList<>();
    for (Http2Frames.Frame frame = client.next();
        frame.type() != Http2Frames.PING || frame.flags() != Http2Frames.ACK;
        frame = client.next()) {
      if (frame.stream() == 3) {
        ofTheCall.add(frame.type());
      }
    }
    assertThat(ofTheCall).containsExactly(Http2Frames.HEADERS);
    assertThat(server.counters().repliesDropped()).isZero();
  }

  /** Sends replies until none has gone out for half a second. */
  private static void fill(ServerCallStreamObserver<HelloReply> replies) {
    long last = System.nanoTime();
    while (System.nanoTime() - last < TimeUnit.MILLISECONDS.toNanos(500)) {
      if (replies.isReady()) {
        replies.onNext(TestService.reply(1000));
        last = System.nanoTime();
      } else {
        LockSupport.parkNanos(1_000_000);
      }
    }
  }

  @Test
  void unreadStreamEndsAtTheTimeoutWithItsStatus() throws Exception {
    RpcServer server = start(endless().defaultTimeout(Duration.ofSeconds(1)));
    // Filled by two replies: the larger default would not be filled in time by a busy machine.
    Unread unread = new Unread(channel(
        NettyChannelBuilder.forAddress("127.0.0.1", server.port()).flowControlWindow(65_535)));
    Await.until("it is late", () -> server.counters().callsTimedOut() == 1);
    assertNothingWaits(server);

    assertThat(text(unread.readOn()))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT1S");
    assertThat(server.counters().repliesDropped()).isEqualTo(1);
  }

  /** A call to a stream of which one message is taken first. */
  private static final class Unread extends ClientCall.Listener<HelloReply> {
    private final CompletableFuture<Status> ended = new CompletableFuture<>();
    private final ClientCall<HelloRequest, HelloReply> call;

    Unread(ManagedChannel channel) {
      call = channel.newCall(TestService.STREAM, CallOptions.DEFAULT);
      call.start(this, new Metadata());
      call.request(1);
      call.sendMessage(REQUEST);
      call.halfClose();
    }

    /** gRPC's client sees the end behind the messages that have come. */
    Status readOn() throws Exception {
      call.request(1_000_000);
      return ended.get(20, TimeUnit.SECONDS);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      ended.complete(status);
    }
  }

  /** The service is told that its call is over, though it has ended it. */
  @Test
  void serviceIsToldThatItsReplyWasNotTaken() throws Exception {
    CompletableFuture<String> told = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .defaultTimeout(Duration.ofSeconds(1))
        .addService(TestService.stream((request, replies) -> {
          ServerCallStreamObserver<HelloReply> observer =
              (ServerCallStreamObserver<HelloReply>) replies;
          observer.setOnCancelHandler(() -> told.complete("cancelled"));
          observer.setOnCloseHandler(() -> told.complete("closed"));
          observer.onNext(TestService.reply(REPLY));
          observer.onCompleted();
        })));
    Http2Frames client = shut(server);
    call(client, 1, TestService.STREAM);

    resets(client, 1);
    assertThat(told.get(20, TimeUnit.SECONDS)).isEqualTo("cancelled");
  }

  @Test
  void stopCutsUnreadCallsWhenItsTimeIsOver() throws Exception {
    RpcServer server = closing(large().start());
    Http2Frames client = shut(server);
    for (int stream = 1; stream < 6; stream += 2) {
      call(client, stream, TestService.UNARY);
    }
    Await.until("all wait", () -> server.counters().replyBytesPending() >= 3 * REPLY);

    StopReport report = server.stop(Duration.ofMillis(500));

    assertThat(report.cut()).isEqualTo(3);
    assertThat(report.finished()).isZero();
    assertThat(report.took()).isBetween(Duration.ofMillis(400), Duration.ofMillis(4_500));
    assertThat(server.counters().callsCut()).isEqualTo(3);
    assertNothingWaits(server);
  }

  @Test
  void connectionThatMostWaitsForLosesItsCalls() throws Exception {
    RpcServer server = start(large().maxPendingReplyBytes(REPLY));
    Http2Frames client = shut(server);
    call(client, 1, TestService.UNARY);
    Await.until("it waits", () -> server.counters().replyBytesPending() >= REPLY);
    ManagedChannel channel = channel(server);

    // A message of its own is one too many; it is refused where no window is needed to say so.
    call(client, 3, TestService.UNARY);
    Await.until("it is refused", () -> server.counters().repliesRefused() == 1);
    Await.until("the first waits", () -> server.counters().callsOpen() == 1);
    // For one of another connection the first goes.
    assertThat(call(channel).getSerializedSize()).isEqualTo(REPLY);

    assertThat(resets(client, 1)).isEqualTo(Map.of(1, TOO_MANY, 3, TOO_MANY));
    assertNothingWaits(server);
    assertThat(server.counters().repliesRefused()).isEqualTo(2);
    assertThat(server.counters().repliesDropped()).isEqualTo(1);
    assertThat(server.counters().callsEnded(Status.Code.RESOURCE_EXHAUSTED)).isEqualTo(2);
  }

  @Test
  void streamIsEndedWhenTooMuchWaitsForItsClient() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxPendingReplyBytes(100_000)
        .addService(TestService.stream((request, replies) -> {
          for (int i = 0; i < 10; i++) {
            // Without a look at isReady.
            replies.onNext(TestService.reply(90_000));
          }
          replies.onCompleted();
        })));

    Http2Frames client = shut(server);
    call(client, 1, TestService.STREAM);

    assertThat(resets(client, 1)).isEqualTo(Map.of(1, TOO_MANY));
    assertNothingWaits(server);
  }

  /**
   * Calls that time out while their service answers. If gRPC had not yet written the answer, it was
   * written after the end, waited for the peer forever, and the peer never saw the end.
   */
  @Test
  void callsThatTimeOutWhileTheyAreAnsweredEndForTheirClients() throws Exception {
    int calls = 50;
    RpcServer server = start(RpcServer.builder()
        .defaultTimeout(Duration.ofMillis(30))
        .addService(TestService.stream((request, replies) -> {
          long answer = System.nanoTime()
              + TimeUnit.MILLISECONDS.toNanos(29)
              + ThreadLocalRandom.current().nextInt(2_000_000);
          while (System.nanoTime() < answer) {
            LockSupport.parkNanos(answer - System.nanoTime());
          }
          replies.onNext(TestService.reply(1000));
          replies.onCompleted();
        })));

    for (int round = 0; round < 40; round++) {
      try (Http2Frames client = shut(server)) {
        for (int i = 0; i < calls; i++) {
          call(client, 2 * i + 1, TestService.STREAM);
        }
        for (int ended = 0; ended < calls; ) {
          ended += client.next().endsStream() ? 1 : 0;
        }
      }
    }
    assertNothingWaits(server);
  }

  /** The least that is allowed: one message at a time. */
  @Test
  void messageGoesWhateverItsSizeIfNoOtherOneWaits() throws Exception {
    RpcServer server = start(large().maxPendingReplyBytes(1));
    ManagedChannel channel = channel(server);

    for (int i = 0; i < 3; i++) {
      assertThat(call(channel).getSerializedSize()).isEqualTo(REPLY);
      Await.until("it is taken", () -> server.counters().replyBytesPending() == 0);
    }
  }

  @Test
  void compressedRepliesAreCountedAsTheyWait() throws Exception {
    RpcServer server = start(large().compression("gzip"));
    ManagedChannel channel = channel(server);

    assertThat(call(channel).getSerializedSize()).isEqualTo(REPLY);
    assertNothingWaits(server);
  }

  @Test
  void limitIsAQuarterOfTheLesserMemoryByDefault() {
    assertThat(PendingReplies.defaultMax(400, 200)).isEqualTo(50);
    assertThat(PendingReplies.defaultMax(400, 800)).isEqualTo(100);
    assertThat(PendingReplies.defaultMax(400, -1)).isEqualTo(100);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> large().maxPendingReplyBytes(0))
        .withMessage("maxPendingReplyBytes: 0 (expected: >= 1)");
    assertThatIllegalStateException()
        .isThrownBy(large().inProcessName("x").maxPendingReplyBytes(1)::start)
        .withMessage("inProcessName: x (expected: no maxPendingReplyBytes set, "
            + "an in-process server has no connections)");
  }
}
