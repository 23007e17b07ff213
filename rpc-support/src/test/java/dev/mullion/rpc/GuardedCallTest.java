package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may be inside gRPC's call, and that nobody waits for a lock there. */
class GuardedCallTest extends RpcTest {
  private final SlowCall call = new SlowCall();
  private final GuardedCall<HelloRequest, HelloReply> guarded = new GuardedCall<>(
      call, new MessageLimits(100, 100), ExceptionMapping.usual(), null, () -> {});

  /** Is slow to send a message, and notes what it is told. */
  private final class SlowCall extends ServerCall<HelloRequest, HelloReply> {
    final List<String> told = Collections.synchronizedList(new ArrayList<>());
    final CountDownLatch sending = new CountDownLatch(1);

    @Override
    public void request(int messages) {}

    @Override
    public void sendHeaders(Metadata headers) {}

    @Override
    public void sendMessage(HelloReply message) {
      sending.countDown();
      awaitRelease();
      told.add("message");
    }

    @Override
    public void close(Status status, Metadata trailers) {
      told.add(status.getCode() + " by " + Thread.currentThread().getName());
    }

    @Override
    public boolean isCancelled() {
      return false;
    }

    @Override
    public MethodDescriptor<HelloRequest, HelloReply> getMethodDescriptor() {
      return TestService.STREAM;
    }
  }

  private CompletableFuture<Status> send() throws Exception {
    CompletableFuture<Status> sent =
        Threads.call(() -> failure(() -> guarded.sendMessage(HelloReply.getDefaultInstance())));
    assertThat(call.sending.await(20, TimeUnit.SECONDS)).isTrue();
    return sent;
  }

  @Test
  void endLeavesTheLastWordToAServiceThatIsInside() throws Exception {
    CompletableFuture<Status> sent = send();

    assertThat(guarded.end(Status.DEADLINE_EXCEEDED, new Metadata())).isTrue();

    assertThat(guarded.isCancelled()).isTrue();
    assertThat(guarded.end(Status.UNAVAILABLE, new Metadata())).isFalse();
    assertThat(call.told).isEmpty();
    released.countDown();
    assertThat(sent.get().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    assertThat(call.told).containsExactly("message", "DEADLINE_EXCEEDED by test-task");
  }

  @Test
  void endIsOnTheSpotWhenNobodyIsInside() {
    assertThat(guarded.end(Status.UNAVAILABLE, new Metadata())).isTrue();

    guarded.close(Status.OK, new Metadata());
    assertThat(call.told)
        .containsExactly("UNAVAILABLE by " + Thread.currentThread().getName());
  }

  /** The reset comes right behind, and would hide a status that is sent later. */
  @Test
  void transportThatHasFailedWaitsForAServiceThatIsInside() throws Exception {
    CompletableFuture<Status> sent = send();

    Thread transport =
        new Thread(() -> guarded.transportFailed(Status.RESOURCE_EXHAUSTED), "transport");
    long begin = System.nanoTime();
    transport.start();
    // It waits for half a second at most.
    Await.until("it waits", () -> transport.getState() != Thread.State.RUNNABLE);
    assertThat(call.told).isEmpty();
    released.countDown();
    transport.join();
    boolean inTime = System.nanoTime() - begin < Duration.ofMillis(500).toNanos();

    assertThat(sent.get()).isIn(Status.OK, Status.RESOURCE_EXHAUSTED);
    assertThat(call.told).hasSize(2).startsWith("message");
    assertThat(call.told.get(1))
        .startsWith(inTime ? "RESOURCE_EXHAUSTED by transport" : "RESOURCE_EXHAUSTED by ");
  }

  /** The end was told under the lock for which the other thread waited. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void callbackMayWaitForAThreadThatUsesTheCall(boolean timesOut) throws Exception {
    CompletableFuture<Boolean> used = new CompletableFuture<>();
    start(RpcServer.builder()
        .inProcessName("guarded-call-test")
        .directExecutor()
        .defaultTimeout(timesOut ? Duration.ofMillis(100) : Duration.ZERO)
        .addService(TestService.stream((request, replies) -> {
          ServerCallStreamObserver<HelloReply> observer =
              (ServerCallStreamObserver<HelloReply>) replies;
          observer.setOnCancelHandler(() -> used.complete(use(observer)));
          observer.setOnCloseHandler(() -> used.complete(use(observer)));
          observer.onNext(HelloReply.getDefaultInstance());
          if (!timesOut) {
            Threads.run(observer::onCompleted);
          }
        })));
    RpcChannel channel =
        closing(RpcChannel.builder().inProcessName("guarded-call-test").build());

    Threads.call(() -> failure(() -> stream(channel).forEachRemaining(reply -> {})));

    assertThat(used.get(20, TimeUnit.SECONDS)).as("the other thread came back").isTrue();
  }

  /** Returns whether another thread that writes comes back. */
  private static boolean use(ServerCallStreamObserver<HelloReply> observer) {
    CompletableFuture<Void> other = Threads.run(() -> {
      try {
        observer.onNext(HelloReply.getDefaultInstance());
      } catch (StatusRuntimeException | IllegalStateException over) {
        // As it should be.
      }
    });
    try {
      other.get(10, TimeUnit.SECONDS);
      return true;
    } catch (Exception stuck) {
      return false;
    }
  }
}
