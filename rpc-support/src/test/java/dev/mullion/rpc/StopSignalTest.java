package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.net.StopReport;
import dev.mullion.rpc.greeter.HelloReply;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/** Streams that end themselves when the server is to stop. */
class StopSignalTest extends RpcTest {
  private static final HelloReply TICK =
      HelloReply.newBuilder().setMessage("tick").build();
  private static final HelloReply BYE =
      HelloReply.newBuilder().setMessage("bye").build();

  @Test
  void streamSaysGoodbyeWhenTheServerStops() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .addService(TestService.stream((request, observer) ->
            RpcMethod.serverStreaming(observer, replies -> {
              CountDownLatch stopping = new CountDownLatch(1);
              replies.onStopping(stopping::countDown);
              assertThat(replies.isStopping()).isFalse();
              replies.write(TICK);
              stopping.await();
              assertThat(replies.isStopping()).isTrue();
              replies.write(BYE);
            }))));
    Iterator<HelloReply> replies = stream(channel(server));
    assertThat(replies.next()).isEqualTo(TICK);

    StopReport report = server.stop(Duration.ofSeconds(20));

    assertThat(report.cut()).isZero();
    assertThat(report.finished()).isEqualTo(1);
    assertThat(replies.next()).isEqualTo(BYE);
    assertThat(replies.hasNext()).isFalse();
  }

  @Test
  void plainObserverIsToldToo() throws Exception {
    CompletableFuture<Boolean> before = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .directExecutor()
        .addService(TestService.stream((request, observer) -> {
          StopSignal signal = StopSignal.current();
          before.complete(signal.isGiven());
          signal.onGiven(() -> {
            observer.onNext(BYE);
            observer.onCompleted();
          });
          observer.onNext(TICK);
        })));
    Iterator<HelloReply> replies = stream(channel(server));
    assertThat(replies.next()).isEqualTo(TICK);

    StopReport report = server.stop(Duration.ofSeconds(20));

    assertThat(before.get()).isFalse();
    assertThat(report.cut()).isZero();
    assertThat(replies.next()).isEqualTo(BYE);
    assertThat(replies.hasNext()).isFalse();
  }

  @Test
  void signalComesAfterTheDelay() throws Exception {
    CompletableFuture<Long> given = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .shutdownDelay(Duration.ofMillis(300))
        .addService(TestService.stream((request, observer) -> {
          StopSignal.current().onGiven(() -> {
            given.complete(System.nanoTime());
            observer.onCompleted();
          });
          observer.onNext(TICK);
        })));
    Iterator<HelloReply> replies = stream(channel(server));
    replies.next();
    long begin = System.nanoTime();

    server.stop(Duration.ofSeconds(20));

    assertThat(given.get() - begin)
        .isGreaterThanOrEqualTo(Duration.ofMillis(300).toNanos());
    assertThat(replies.hasNext()).isFalse();
  }

  /** It went through the stop, which was left half done. */
  @Test
  void callbackThatThrowsHoldsUpNeitherTheStopNorOthers() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .directExecutor()
        .addService(TestService.stream((request, observer) -> {
          StopSignal.current().onGiven(() -> {
            throw new IllegalStateException("thrown by a test");
          });
          StopSignal.current().onGiven(observer::onCompleted);
          observer.onNext(TICK);
        })));
    Iterator<HelloReply> replies = stream(channel(server));
    assertThat(replies.next()).isEqualTo(TICK);

    StopReport report = server.stop(Duration.ofSeconds(20));

    assertThat(report.finished()).isEqualTo(1);
    assertThat(report.cut()).isZero();
    assertThat(server.isTerminated()).isTrue();
    assertThat(replies.hasNext()).isFalse();
  }

  @Test
  void signalIsOfACall() {
    assertThatIllegalStateException()
        .isThrownBy(StopSignal::current)
        .withMessage(
            "no call of an RpcServer on this thread (expected: the Context of such a call)");
  }
}
