package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.HelloReply;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class HedgingPolicyTest extends RpcTest {
  private static final Duration NEVER = Duration.ofHours(1);
  private static final Duration SOON = Duration.ofMillis(1);

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

  private RpcChannel channel(RpcServer server, UnaryOperator<RpcChannelBuilder> settings) {
    return closing(
        settings.apply(RpcChannel.builder().address("127.0.0.1", server.port())).build());
  }

  private RpcChannel channel(RpcServer server, HedgingPolicy policy) {
    return channel(server, builder -> builder.hedgingPolicy(policy));
  }

  private static HedgingPolicy.Builder after(Duration delay) {
    return HedgingPolicy.builder().hedgingDelay(delay);
  }

  @Test
  void secondAttemptAnswersWhileTheFirstIsStuck() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
          if (attempts.incrementAndGet() == 1) {
            awaitRelease();
          }
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));

    assertThat(call(channel(server, after(Duration.ofMillis(20)).build())))
        .isEqualTo(HelloReply.getDefaultInstance());
    assertThat(attempts).hasValue(2);
    Await.until(
        "the first is cancelled", () -> server.counters().callsEnded(Status.Code.CANCELLED) == 1);
  }

  @Test
  void failureThatIsNotFatalDoesNotEndTheCall() throws Exception {
    RpcServer server = failing(6, Status.UNAVAILABLE);
    HedgingPolicy policy = after(SOON).maxAttempts(7).throttling(1000, 1).build();

    assertThat(call(channel(server, policy))).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(attempts).hasValue(7);
  }

  @Test
  void otherFailureEndsTheCall() throws Exception {
    RpcServer server = failing(1, Status.ABORTED);

    assertThat(failure(() -> call(channel(server, after(NEVER).build()))).getCode())
        .isEqualTo(Status.Code.ABORTED);
    assertThat(attempts).hasValue(1);
  }

  @Test
  void hedgingEndsWhenMostCallsFail() throws Exception {
    RpcServer server = failing(1000, Status.UNAVAILABLE);
    RpcChannel channel = channel(server, after(SOON).build());

    for (int i = 0; i < 20; i++) {
      assertThat(failure(() -> call(channel)).getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    }

    // Five tokens are spent on three calls, and attempts that are open then still fail.
    assertThat(attempts.get()).isBetween(21, 28);
  }

  @Test
  void policyOfAMethodCountsBeforeThatOfItsServiceAndOfAll() throws Exception {
    HedgingPolicy hedging = after(NEVER).build();
    RetryPolicy retry = RetryPolicy.builder()
        .initialBackoff(Duration.ofMillis(1))
        .retryOn(Status.Code.ABORTED)
        .build();
    RpcServer server = failing(1, Status.ABORTED);

    assertThat(failure(() -> call(channel(
                server,
                builder -> builder
                    .retryPolicy(retry)
                    .retryPolicy(retry, "test.Service")
                    .hedgingPolicy(hedging, "test.Service/Unary"))))
            .getCode())
        .isEqualTo(Status.Code.ABORTED);
    attempts.set(0);
    assertThat(call(channel(
            server,
            builder -> builder
                .retryPolicy(retry, "test.Service")
                .hedgingPolicy(hedging, "test.Service/Other")
                .hedgingPolicy(hedging))))
        .isEqualTo(HelloReply.getDefaultInstance());
    assertThat(attempts).hasValue(2);
  }

  @Test
  void settingsThatContradictEachOtherAreRefused() {
    RpcChannelBuilder all = RpcChannel.builder()
        .target("a:1")
        .retryPolicy(RetryPolicy.defaults())
        .hedgingPolicy(HedgingPolicy.defaults());
    RpcChannelBuilder method = RpcChannel.builder()
        .target("a:1")
        .retryPolicy(RetryPolicy.defaults(), "a.B/C")
        .hedgingPolicy(HedgingPolicy.defaults(), "a.B/C");
    RpcChannelBuilder throttling = RpcChannel.builder()
        .target("a:1")
        .retryPolicy(RetryPolicy.defaults(), "a.B/C")
        .hedgingPolicy(HedgingPolicy.builder().throttling(20, 0.5).build(), "a.B/D");

    assertThatIllegalStateException()
        .isThrownBy(all::build)
        .withMessage("retryPolicy and hedgingPolicy for all methods (expected: one of them)");
    assertThatIllegalStateException()
        .isThrownBy(method::build)
        .withMessage("retryPolicy and hedgingPolicy for a.B/C (expected: one of them)");
    assertThatIllegalStateException()
        .isThrownBy(throttling::build)
        .withMessage("throttling: maxTokens=10, tokenRatio=0.1 and maxTokens=20, tokenRatio=0.5 "
            + "(expected: the same in all policies of a channel)");
  }

  @Test
  void settingsAreChecked() {
    assertThat(HedgingPolicy.defaults())
        .hasToString("HedgingPolicy[maxAttempts=2, hedgingDelay=PT0.1S, "
            + "nonFatalStatusCodes=[UNAVAILABLE], maxTokens=10, tokenRatio=0.1]");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HedgingPolicy.builder().maxAttempts(101))
        .withMessage("maxAttempts: 101 (expected: 2 to 100)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HedgingPolicy.builder().hedgingDelay(Duration.ofMillis(-1)))
        .withMessage("hedgingDelay: PT-0.001S (expected: >= PT0S)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HedgingPolicy.builder().nonFatalStatusCodes(Status.Code.OK))
        .withMessage("nonFatalStatusCodes: OK (expected: non-OK status codes)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> HedgingPolicy.builder().throttling(10, 0))
        .withMessage("tokenRatio: 0.0 (expected: 0.001 to 1000)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().hedgingPolicy(HedgingPolicy.defaults(), "/a.B/C"))
        .withMessage("method: \"/a.B/C\" (expected: package.Service or package.Service/Method)");
  }
}
