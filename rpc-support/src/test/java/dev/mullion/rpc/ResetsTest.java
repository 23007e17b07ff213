package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Which resets count for {@code maxResets}, and what the end of a connection is counted as. Resets
 * that the server had caused counted too, and any flood was one of resets.
 */
class ResetsTest extends RpcTest {
  private static final byte[] CANCEL = {0, 0, 0, 8};

  private static RpcServerBuilder strict() {
    return RpcServer.builder().maxResets(20, Duration.ofSeconds(60));
  }

  private Http2Frames connect(RpcServer server) throws IOException {
    Http2Frames client =
        closing(new Http2Frames(new Socket(InetAddress.getLoopbackAddress(), server.port())));
    client.sendPreface();
    client.send(Http2Frames.SETTINGS, 0, 0);
    return client;
  }

  private static void assertNoneIsEnded(RpcServer server) {
    assertThat(server.counters().asMap().entrySet().stream()
            .filter(each -> each.getKey().startsWith("connectionsEndedFor"))
            .filter(each -> each.getValue() > 0))
        .isEmpty();
  }

  /**
   * One call is open, so all others are refused. Clients reset those of which they have not sent
   * all.
   */
  @Test
  void refusedCallsAreNoResets() throws Exception {
    RpcServer server =
        start(strict().maxCalls(1).addService(TestService.bidi(ResetsTest::untilTheEnd)));
    ManagedChannel channel = channel(server);
    Bidi good = new Bidi(channel);
    Await.until("it is open", () -> server.counters().callsOpen() == 1);

    for (int i = 0; i < 100; i++) {
      assertThat(new Bidi(channel).ended.get(20, TimeUnit.SECONDS).getCode())
          .isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    }

    assertNoneIsEnded(server);
    good.call.halfClose();
    assertThat(good.ended.get(20, TimeUnit.SECONDS)).isEqualTo(Status.OK);
    assertThat(server.counters().connectionsOpened()).isEqualTo(1);
  }

  /** A service that fails before its client has sent all. */
  @Test
  void callsThatTheServiceEndsAreNoResets() throws Exception {
    RpcServer server = start(strict().addService(TestService.bidi(replies -> {
      replies.onError(Status.ABORTED.asRuntimeException());
      return untilTheEnd(replies);
    })));
    ManagedChannel channel = channel(server);

    for (int i = 0; i < 100; i++) {
      assertThat(new Bidi(channel).ended.get(20, TimeUnit.SECONDS).getCode())
          .isEqualTo(Status.Code.ABORTED);
    }

    assertNoneIsEnded(server);
    assertThat(server.counters().connectionsOpened()).isEqualTo(1);
  }

  /** The client's reset comes on a stream that the server has refused, or that has ended for it. */
  @ParameterizedTest
  @CsvSource({"/hello.Greeter/None", "/hello.Greeter/SayHello"})
  void resetsBehindTheServersEndAreNotCounted(String path) throws Exception {
    RpcServer server = start(strict().addService(new GreeterService()));
    Http2Frames client = connect(server);
    for (int i = 0; i < 100; i++) {
      int stream = 2 * i + 1;
      client.sendCall(stream, path);
      if (path.endsWith("SayHello")) {
        client.send(Http2Frames.DATA, Http2Frames.END_STREAM, stream, new byte[5]);
      }
      Http2Frames.Frame frame = client.next();
      while (!frame.endsStream()) {
        frame = client.next();
      }
      client.send(Http2Frames.RST_STREAM, 0, stream, CANCEL);
    }
    client.awaitSeen();

    assertNoneIsEnded(server);
    assertThat(server.counters().connectionsOpen()).isEqualTo(1);
  }

  /** Streams that the server has to reset count by themselves. */
  @Test
  void streamErrorsAreNoResetsButBounded() throws Exception {
    RpcServer server = start(strict().addService(new GreeterService()));
    Http2Frames client = connect(server);
    String[] malformed = MalformedCallsTest.headers(List.of("grpc-timeout", "abc"));
    for (int i = 0; i < 20; i++) {
      client.sendHeaders(2 * i + 1, Http2Frames.END_HEADERS, malformed);
    }
    client.awaitSeen();
    assertNoneIsEnded(server);

    client.sendHeaders(41, Http2Frames.END_HEADERS, malformed);

    assertThat(client.readGoAway()).isEqualTo(new Http2Frames.GoAway(11, "too_many_stream_errors"));
    assertThat(server.counters().connectionsEndedForStreamErrors()).isEqualTo(1);
    assertThat(server.counters().connectionsEndedForResets()).isZero();
  }

  @Test
  void limitCanBeSwitchedOff() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .maxResets(Integer.MAX_VALUE, Duration.ofSeconds(1))
        .addService(new GreeterService()));
    Http2Frames client = connect(server);
    for (int i = 0; i < 1_000; i++) {
      client.sendCall(2 * i + 1, "/hello.Greeter/SayHello");
      client.send(Http2Frames.RST_STREAM, 0, 2 * i + 1, CANCEL);
    }
    client.awaitSeen();

    assertNoneIsEnded(server);
    assertThat(server.counters().connectionsOpen()).isEqualTo(1);
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
  }

  @Test
  void floodOfContinuationsIsCountedAsSuch() throws Exception {
    RpcServer server = start(strict().addService(new GreeterService()));
    Http2Frames client = connect(server);
    client.sendHeaders(1, 0, "te", "trailers");
    try {
      for (int i = 0; i < 2_000; i++) {
        client.send(Http2Frames.CONTINUATION, 0, 1);
      }
    } catch (SocketException ended) {
      // As it should be.
    }
    awaitEnd(client);

    Await.until("it is counted", () -> server.counters().connectionsEndedForContinuations() == 1);
    assertThat(server.counters().connectionsEndedForResets()).isZero();
    assertThat(server.counters().connectionsEndedForOther()).isZero();
  }

  @Test
  void pingsAreCountedAsSuch() throws Exception {
    RpcServer server = start(strict().addService(new GreeterService()));
    Http2Frames client = connect(server);
    for (int i = 0; i < 10; i++) {
      client.awaitSeen();
    }

    Await.until("it is counted", () -> server.counters().connectionsEndedForPings() == 1);
    assertThat(server.counters().connectionsEndedForResets()).isZero();
  }

  private static void awaitEnd(Http2Frames client) throws IOException {
    try {
      while (true) {
        client.next();
      }
    } catch (EOFException | SocketException ended) {
      // That is what is waited for.
    }
  }

  @Test
  void everyReasonHasItsCounter() {
    Map<String, String> reasons = Map.of(
        "too_many_rststreams", "connectionsEndedForResets",
        "too_many_pings", "connectionsEndedForPings",
        "too_many_stream_errors", "connectionsEndedForStreamErrors",
        "Number of small consecutive continuations frames 17 exceeds maximum: 16",
            "connectionsEndedForContinuations",
        "Maximum number 10000 of outstanding control frames reached",
            "connectionsEndedForControlFrames",
        "Maximum number 2 of empty data frames without end_of_stream flag received",
            "connectionsEndedForOther",
        "", "connectionsEndedForOther");
    reasons.forEach((reason, counter) -> {
      RpcCounters counters = new RpcCounters();
      counters.endedFor(reason).increment();
      assertThat(counters.asMap().entrySet().stream().filter(each -> each.getValue() == 1))
          .as(reason)
          .containsExactly(Map.entry(counter, 1L));
    });
  }

  /** Completes when its client does. */
  private static StreamObserver<HelloRequest> untilTheEnd(StreamObserver<HelloReply> replies) {
    return new StreamObserver<>() {
      @Override
      public void onNext(HelloRequest request) {}

      @Override
      public void onError(Throwable cancelled) {}

      @Override
      public void onCompleted() {
        replies.onCompleted();
      }
    };
  }

  /** A call that sends nothing, and does not end its side. */
  private static final class Bidi extends ClientCall.Listener<HelloReply> {
    final CompletableFuture<Status> ended = new CompletableFuture<>();
    final ClientCall<?, HelloReply> call;

    Bidi(ManagedChannel channel) {
      call = channel.newCall(TestService.BIDI, CallOptions.DEFAULT);
      call.start(this, new Metadata());
      call.request(1);
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      ended.complete(status);
    }
  }
}
