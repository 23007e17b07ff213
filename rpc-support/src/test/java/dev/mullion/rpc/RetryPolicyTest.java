package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class RetryPolicyTest extends RpcTest {
  private final AtomicInteger attempts = new AtomicInteger();

  private RpcServer failing(int times, Status status) throws Exception {
    return start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
      if (attempts.incrementAndGet() <= times) {
        replies.onError(status.asRuntimeException());
      } else {
        replies.onNext(HelloReply.getDefaultInstance());
        replies.onCompleted();
      }
    })));
  }

  private static RetryPolicy.Builder quick() {
    return RetryPolicy.builder().initialBackoff(Duration.ofMillis(1));
  }

  private RpcChannel channel(RpcServer server, RetryPolicy policy) {
    return closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .retryPolicy(policy)
        .build());
  }

  @Test
  void callIsTriedAgainUntilItSucceeds() throws Exception {
    RpcServer server = failing(2, Status.UNAVAILABLE);

    assertThat(call(channel(server, quick().build()))).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(attempts).hasValue(3);
  }

  /** gRPC's own maximum is five, and it says nothing of taking that instead. */
  @Test
  void callIsTriedAsOftenAsItMay() throws Exception {
    RpcServer server = failing(100, Status.UNAVAILABLE.withDescription("down"));
    RetryPolicy patient = quick()
        .maxAttempts(8)
        .maxBackoff(Duration.ofMillis(5))
        .throttling(1000, 1)
        .build();

    assertThat(text(failure(() -> call(channel(server, patient))))).isEqualTo("UNAVAILABLE: down");
    assertThat(attempts).hasValue(8);
  }

  @Test
  void otherStatusesAreNotRetried() throws Exception {
    RpcServer server = failing(1, Status.ABORTED);

    assertThat(failure(() -> call(channel(server, quick().build()))).getCode())
        .isEqualTo(Status.Code.ABORTED);
    assertThat(attempts).hasValue(1);
    assertThat(call(channel(server, quick().retryOn(Status.Code.ABORTED).build())))
        .isEqualTo(HelloReply.getDefaultInstance());
  }

  @Test
  void retriesEndWhenMostCallsFail() throws Exception {
    RpcServer server = failing(1000, Status.UNAVAILABLE);
    RpcChannel channel =
        channel(server, quick().maxAttempts(2).throttling(10, 0.1).build());

    for (int i = 0; i < 20; i++) {
      assertThat(failure(() -> call(channel)).getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    }

    // Five tokens are spent on two calls and a half.
    assertThat(attempts.get()).isBetween(22, 24);
  }

  /** RESOURCE_EXHAUSTED is not among the policy's statuses; the server's advice counts. */
  @Test
  void callThatWasRefusedIsTriedAgainWhenTheServerSays() throws Exception {
    RpcServer server =
        start(RpcServer.builder().maxCalls(1).addService(TestService.unary((request, replies) -> {
          awaitRelease();
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));
    RpcChannel channel =
        channel(server, quick().maxAttempts(100).throttling(1000, 1).build());
    CompletableFuture<HelloReply> first = Threads.call(() -> call(channel));
    Await.until("a call is open", () -> server.counters().callsOpen() == 1);
    CompletableFuture<HelloReply> second = Threads.call(() -> call(channel));
    Await.until("a call was refused", () -> server.counters().callsRefused() > 0);

    released.countDown();

    assertThat(first.get()).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(second.get()).isEqualTo(HelloReply.getDefaultInstance());
  }

  @Test
  void callThatHasSentMoreThanIsKeptIsNotTriedAgain() throws Exception {
    RpcServer server = failing(1, Status.UNAVAILABLE);
    RpcChannelBuilder builder = RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .retryPolicy(quick().build());
    RpcChannel little = closing(builder.perRpcBufferLimit(9_000).build());
    RpcChannel enough = closing(builder.perRpcBufferLimit(11_000).build());
    HelloRequest request = TestService.request(10_000);

    assertThat(failure(() -> call(little, TestService.UNARY, request)).getCode())
        .isEqualTo(Status.Code.UNAVAILABLE);
    attempts.set(0);
    assertThat(call(enough, TestService.UNARY, request)).isEqualTo(HelloReply.getDefaultInstance());
  }

  @Test
  void callIsNotTriedAgainWhileOthersTakeUpWhatIsKept() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
          if (request.getSerializedSize() == 8_000) {
            awaitRelease();
          }
          if (released.getCount() > 0) {
            attempts.incrementAndGet();
            replies.onError(Status.UNAVAILABLE.asRuntimeException());
          } else {
            replies.onNext(HelloReply.getDefaultInstance());
            replies.onCompleted();
          }
        })));
    RpcChannel channel = closing(RpcChannel.builder()
        .address("127.0.0.1", server.port())
        .retryPolicy(quick().build())
        .perRpcBufferLimit(10_000)
        .retryBufferSize(10_000)
        .build());
    CompletableFuture<HelloReply> first =
        Threads.call(() -> call(channel, TestService.UNARY, TestService.request(8_000)));
    Await.until("it is open", () -> server.counters().callsOpen() == 1);

    assertThat(failure(() -> call(channel, TestService.UNARY, TestService.request(5_000)))
            .getCode())
        .isEqualTo(Status.Code.UNAVAILABLE);

    released.countDown();
    assertThat(first.get()).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(attempts).hasValue(1);
  }

  @Test
  void settingsAreChecked() {
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().address("a", 1).perRpcBufferLimit(32 * 1024 * 1024)::build)
        .withMessage("perRpcBufferLimit: 33554432 (expected: <= retryBufferSize: 16777216)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().perRpcBufferLimit(0))
        .withMessage("perRpcBufferLimit: 0 (expected: >= 1)");
    assertThat(RetryPolicy.defaults())
        .hasToString("RetryPolicy[maxAttempts=3, initialBackoff=PT0.1S, maxBackoff=PT2S, "
            + "backoffMultiplier=2.0, retryOn=[UNAVAILABLE], maxTokens=10, tokenRatio=0.1]");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RetryPolicy.builder().maxAttempts(1))
        .withMessage("maxAttempts: 1 (expected: 2 to 100)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RetryPolicy.builder().backoffMultiplier(Double.NaN))
        .withMessage("backoffMultiplier: NaN (expected: 1 to 100)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RetryPolicy.builder().retryOn(Status.Code.ABORTED, Status.Code.OK))
        .withMessage("retryOn: OK (expected: non-OK status codes)");
    assertThatIllegalStateException()
        .isThrownBy(RetryPolicy.builder().initialBackoff(Duration.ofSeconds(3))::build)
        .withMessage("initialBackoff: PT3S (expected: <= maxBackoff: PT2S)");
  }
}
