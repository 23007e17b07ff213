package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.HelloReply;
import io.grpc.CallOptions;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;

/** Calls that take too long. */
class RpcServerTimeoutsTest extends RpcTest {
  private RpcServer stuck(RpcServerBuilder builder, CompletableFuture<Context> called)
      throws Exception {
    return start(builder.addService(TestService.unary((request, replies) -> {
      called.complete(Context.current());
      awaitRelease();
      // Too late: goes nowhere.
      replies.onNext(HelloReply.getDefaultInstance());
      replies.onCompleted();
    })));
  }

  /** Side by side, since each waits a second. */
  @Test
  void longestTimeIsThatOfTheServer() throws Exception {
    Threads.forEach(
        List.<Threads.Task<CompletableFuture<Context>>>of(
            this::callWithoutADeadlineHasTheDefaultTimeout,
            this::deadlineThatIsTooLateIsCutShort,
            this::callWithoutADeadlineHasTheMaximumWhereThereIsNoDefault),
        task -> task.run(new CompletableFuture<>()));
  }

  private void callWithoutADeadlineHasTheDefaultTimeout(CompletableFuture<Context> called)
      throws Exception {
    RpcServer server = stuck(RpcServer.builder().defaultTimeout(Duration.ofSeconds(1)), called);

    assertThat(text(failure(() -> call(channel(server)))))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT1S");
    assertThat(called.get().isCancelled()).isTrue();
    assertThat(called.get().cancellationCause()).isInstanceOf(TimeoutException.class);
    Await.until("its end is counted", () -> server.counters().callsFailed() == 1);
    Await.until("it is counted as late", () -> server.counters().callsTimedOut() == 1);
    Await.until("the call has ended", () -> server.counters().callsOpen() == 0);
  }

  private void deadlineThatIsTooLateIsCutShort(CompletableFuture<Context> called) throws Exception {
    RpcServer server = stuck(RpcServer.builder().maxTimeout(Duration.ofSeconds(1)), called);
    CallOptions hour = CallOptions.DEFAULT.withDeadlineAfter(1, TimeUnit.HOURS);

    assertThat(text(failure(() ->
            ClientCalls.blockingUnaryCall(channel(server), TestService.UNARY, hour, REQUEST))))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than maxTimeout PT1S");
    assertThat(called.get().isCancelled()).isTrue();
  }

  private void callWithoutADeadlineHasTheMaximumWhereThereIsNoDefault(
      CompletableFuture<Context> called) throws Exception {
    RpcServer server = stuck(RpcServer.builder().maxTimeout(Duration.ofSeconds(1)), called);

    assertThat(text(failure(() -> call(channel(server)))))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than maxTimeout PT1S");
  }

  private Optional<Deadline> seenByDefault(RpcServerBuilder builder) throws Exception {
    CompletableFuture<Optional<Deadline>> seen = new CompletableFuture<>();
    RpcServer server = start(builder.addService(TestService.unary((request, replies) -> {
      seen.complete(Optional.ofNullable(Context.current().getDeadline()));
      replies.onNext(HelloReply.getDefaultInstance());
      replies.onCompleted();
    })));
    call(channel(server));
    return seen.get();
  }

  @Test
  void unaryCallHasAMinuteByDefault() throws Exception {
    assertThat(seenByDefault(RpcServer.builder()).orElseThrow().timeRemaining(TimeUnit.SECONDS))
        .isBetween(40L, 60L);
    assertThat(seenByDefault(RpcServer.builder().maxTimeout(Duration.ofHours(1)))
            .orElseThrow()
            .timeRemaining(TimeUnit.SECONDS))
        .isBetween(40L, 60L);
    assertThat(seenByDefault(RpcServer.builder().maxTimeout(Duration.ofSeconds(30)))
            .orElseThrow()
            .timeRemaining(TimeUnit.SECONDS))
        .isBetween(10L, 30L);
  }

  @Test
  void zeroSwitchesTheDefaultOff() throws Exception {
    assertThat(seenByDefault(RpcServer.builder().defaultTimeout(Duration.ZERO))).isEmpty();
  }

  @Test
  void streamHasNoTimeoutByDefault() throws Exception {
    CompletableFuture<Optional<Deadline>> seen = new CompletableFuture<>();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, replies) -> {
          seen.complete(Optional.ofNullable(Context.current().getDeadline()));
          replies.onCompleted();
        })));

    assertThat(stream(channel(server)).hasNext()).isFalse();
    assertThat(seen.get()).isEmpty();
  }

  @Test
  void deadlineOfTheClientCountsWhenItIsEarlier() throws Exception {
    CompletableFuture<Deadline> seen = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .defaultTimeout(Duration.ofMillis(1))
        .maxTimeout(Duration.ofHours(1))
        .addService(TestService.unary((request, replies) -> {
          seen.complete(Context.current().getDeadline());
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));
    CallOptions minute = CallOptions.DEFAULT.withDeadlineAfter(1, TimeUnit.MINUTES);

    assertThat(ClientCalls.blockingUnaryCall(channel(server), TestService.UNARY, minute, REQUEST))
        .isEqualTo(HelloReply.getDefaultInstance());
    assertThat(seen.get().timeRemaining(TimeUnit.SECONDS)).isBetween(30L, 60L);
  }

  @Test
  void streamThatTimesOutHasSentWhatItHad() throws Exception {
    CompletableFuture<String> cancelled = new CompletableFuture<>();
    RpcServer server = start(RpcServer.builder()
        .defaultTimeout(Duration.ofSeconds(2))
        .addService(TestService.stream((request, replies) -> {
          ((ServerCallStreamObserver<HelloReply>) replies)
              .setOnCancelHandler(() -> cancelled.complete("cancelled"));
          replies.onNext(TestService.reply(10));
        })));

    Iterator<HelloReply> replies = stream(channel(server));

    assertThat(replies.next().getSerializedSize()).isEqualTo(10);
    assertThat(text(failure(replies::hasNext)))
        .isEqualTo("DEADLINE_EXCEEDED: call took longer than defaultTimeout PT2S");
    assertThat(cancelled.get()).isEqualTo("cancelled");
  }

  /** A service that calls another one gives it the time that is left. */
  @Test
  void deadlinePropagatesToCallsInsideTheCall() throws Exception {
    CompletableFuture<Deadline> seen = new CompletableFuture<>();
    RpcServer inner = start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
      seen.complete(Context.current().getDeadline());
      replies.onNext(HelloReply.getDefaultInstance());
      replies.onCompleted();
    })));
    ManagedChannel toInner = channel(inner);
    RpcServer outer = start(RpcServer.builder()
        .defaultTimeout(Duration.ofMinutes(1))
        .addService(TestService.unary((request, replies) -> {
          replies.onNext(call(toInner));
          replies.onCompleted();
        })));

    assertThat(call(channel(outer))).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(seen.get().timeRemaining(TimeUnit.SECONDS)).isBetween(30L, 60L);
  }
}
