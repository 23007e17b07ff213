package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.ClientCalls;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The phases of a stop. */
class RpcServerStopTest extends RpcTest {
  private RpcServer stuck(RpcServerBuilder builder) throws Exception {
    return start(builder.addService(TestService.unary((request, replies) -> {
      awaitRelease();
      replies.onNext(HelloReply.getDefaultInstance());
      replies.onCompleted();
    })));
  }

  @Test
  void stopOfAnIdleServerIsImmediate() throws Exception {
    RpcServer server = stuck(RpcServer.builder());
    released.countDown();
    call(channel(server));
    Await.until("the call has ended", () -> server.counters().callsOpen() == 0);

    StopReport report = server.stop(Duration.ofMinutes(1));

    assertThat(report.took()).isLessThan(Duration.ofSeconds(20));
    assertThat(report.finished()).isZero();
    assertThat(report.cut()).isZero();
    assertThat(server.isTerminated()).isTrue();
    server.awaitTermination();
    assertThat(server.stop(Duration.ZERO).finished()).isZero();
    assertThat(server.port()).isPositive();
  }

  @Test
  void openCallFinishesAndNoneIsTaken() throws Exception {
    RpcServer server = stuck(RpcServer.builder());
    ManagedChannel channel = channel(server);
    CompletableFuture<HelloReply> open = Threads.call(() -> call(channel));
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);

    CompletableFuture<StopReport> stop = Threads.call(() -> server.stop(Duration.ofSeconds(20)));
    // Not by calls: one that was still taken would be stuck.
    Await.until("nobody listens", () -> !listens(server.port()));
    assertThat(failure(() -> call(channel(server))).getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(stop).isNotDone();
    released.countDown();

    assertThat(open.get()).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(stop.get().finished()).isEqualTo(1);
    assertThat(stop.get().cut()).isZero();
    assertThat(server.counters().callsCut()).isZero();
  }

  private static boolean listens(int port) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (ConnectException refused) {
      return false;
    }
  }

  @Test
  void callThatDoesNotEndIsCut() throws Exception {
    RpcServer server = stuck(RpcServer.builder());
    ManagedChannel channel = channel(server);
    CompletableFuture<Status> open = Threads.call(() -> failure(() -> call(channel)));
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);

    StopReport report = server.stop(Duration.ofMillis(100));

    assertThat(report.cut()).isEqualTo(1);
    assertThat(report.finished()).isZero();
    assertThat(report.took()).isBetween(Duration.ofMillis(100), Duration.ofSeconds(20));
    assertThat(text(open.get())).isEqualTo("UNAVAILABLE: server is stopping");
    assertThat(server.isTerminated()).isTrue();
    assertThat(server.counters().callsCut()).isEqualTo(1);
  }

  @Test
  void healthSaysNotServingWhileCallsAreStillTaken() throws Exception {
    RpcServer server = stuck(
        RpcServer.builder().shutdownDelay(Duration.ofHours(1)).closeTimeout(Duration.ofHours(2)));
    released.countDown();
    ManagedChannel channel = channel(server);
    Iterator<HealthCheckResponse> watched =
        HealthGrpc.newBlockingStub(channel).watch(HealthCheckRequest.getDefaultInstance());
    assertThat(watched.next().getStatus()).isEqualTo(ServingStatus.SERVING);

    CompletableFuture<StopReport> report = new CompletableFuture<>();
    Thread stop = new Thread(() -> report.complete(server.stop(Duration.ofHours(2))));
    stop.start();

    assertThat(watched.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
    assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
    Await.until("the call has ended", () -> server.counters().callsOpen() == 0);
    stop.interrupt();
    assertThat(report.get().cut()).isZero();
  }

  @Test
  void delayIsNoLongerThanTheStop() throws Exception {
    RpcServer server = stuck(
        RpcServer.builder().shutdownDelay(Duration.ofHours(1)).closeTimeout(Duration.ofHours(2)));

    assertThat(server.stop(Duration.ofMillis(200)).took()).isLessThan(Duration.ofSeconds(20));
  }

  /** A server works as ever then, for as long as load balancers need to see it. */
  @Test
  void callsThatEndDuringTheDelayAreNotReported() throws Exception {
    RpcServer server = start(RpcServer.builder()
        .shutdownDelay(Duration.ofHours(1))
        .closeTimeout(Duration.ofHours(2))
        .addService(TestService.unary((request, replies) -> {
          if (request.equals(REQUEST)) {
            awaitRelease();
          }
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));
    ManagedChannel channel = channel(server);
    CompletableFuture<Status> open = Threads.call(() -> failure(() -> call(channel)));
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);
    CompletableFuture<StopReport> report = new CompletableFuture<>();
    Thread stop = new Thread(() -> report.complete(server.stop(Duration.ofHours(2))));

    stop.start();
    Await.until(
        "the delay has begun",
        () -> RpcServerTest.health(channel, "") == ServingStatus.NOT_SERVING);
    call(channel, TestService.UNARY, HelloRequest.getDefaultInstance());
    Await.until("it has ended", () -> server.counters().callsSucceeded() == 1);
    stop.interrupt();

    assertThat(report.get().finished()).isZero();
    assertThat(report.get().cut()).isEqualTo(1);
    assertThat(text(open.get())).isEqualTo("UNAVAILABLE: server is stopping");
  }

  /** A watcher of the health stays as long as it likes; the drain would never end. */
  @Test
  void watcherOfTheHealthHoldsUpNoStop() throws Exception {
    RpcServer server = stuck(RpcServer.builder());
    Iterator<HealthCheckResponse> watched =
        HealthGrpc.newBlockingStub(channel(server)).watch(HealthCheckRequest.getDefaultInstance());
    assertThat(watched.next().getStatus()).isEqualTo(ServingStatus.SERVING);

    StopReport report = server.stop(Duration.ofMinutes(1));

    assertThat(report.took()).isLessThan(Duration.ofSeconds(20));
    assertThat(watched.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
    assertThat(text(failure(watched::hasNext))).isEqualTo("UNAVAILABLE: server is stopping");
  }

  /** Runs in a JVM of its own, and answers when it hears of the stop. */
  public static final class Hooked {
    private Hooked() {}

    /** Prints its port, and that a call has come. */
    public static void main(String[] args) throws Exception {
      RpcServer server = RpcServer.builder()
          .shutdownHook(true)
          .addService(TestService.unary((request, replies) -> {
            StopSignal.current().onGiven(() -> {
              replies.onNext(TestService.reply(20));
              replies.onCompleted();
            });
            System.out.println("received");
          }))
          .start();
      System.out.println(server.port());
      server.awaitTermination(Duration.ofMinutes(1));
    }
  }

  @Test
  void openCallsAreAnsweredWhenTheJvmIsTerminated() throws Exception {
    Process process = ClassPath.java(entry -> true, Hooked.class);
    closing(process::destroyForcibly);
    try (BufferedReader out = process.inputReader(UTF_8)) {
      RpcChannel channel = closing(RpcChannel.builder()
          .address("127.0.0.1", Integer.parseInt(out.readLine()))
          .build());
      Future<HelloReply> reply = ClientCalls.futureUnaryCall(
          channel.newCall(TestService.UNARY, CallOptions.DEFAULT), TestService.request(10));
      assertThat(out.readLine()).isEqualTo("received");

      process.destroy();

      assertThat(reply.get(60, TimeUnit.SECONDS)).isEqualTo(TestService.reply(20));
    }
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as("SIGTERM").isEqualTo(128 + 15);
  }

  @Test
  void shutdownHookIsThereUntilTheStop() throws Exception {
    RpcServer plain = stuck(RpcServer.builder());
    RpcServer hooked = stuck(RpcServer.builder().shutdownHook(true));
    RpcServer stopped = stuck(RpcServer.builder().shutdownHook(true));

    stopped.close();

    assertThat(plain.hook.remove()).isFalse();
    assertThat(hooked.hook.remove()).isTrue();
    assertThat(stopped.hook.remove()).isFalse();
  }

  @Test
  void interruptedStopIsByForce() throws Exception {
    RpcServer server = stuck(RpcServer.builder());
    ManagedChannel channel = channel(server);
    CompletableFuture<Status> open = Threads.call(() -> failure(() -> call(channel)));
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);

    CompletableFuture<Boolean> stop = Threads.call(() -> {
      Thread.currentThread().interrupt();
      server.stop(Duration.ofMinutes(1));
      return Thread.currentThread().isInterrupted();
    });

    assertThat(stop.get()).as("still interrupted").isTrue();
    assertThat(text(open.get())).isEqualTo("UNAVAILABLE: server is stopping");
  }

  /** A client whose watch ends asks again at once, perhaps before it hears that the server goes. */
  @Test
  void watchOfTheHealthThatComesDuringTheStopIsEndedToo() {
    CallRegistry registry = TestCalls.registry(2, "grpc.health.v1.Health");
    OpenCall counted = TestCalls.begin(registry, "test.Service/Unary");
    OpenCall before = TestCalls.begin(registry, "grpc.health.v1.Health/Watch");

    registry.stop(Status.UNAVAILABLE);

    OpenCall after = TestCalls.begin(registry, "grpc.health.v1.Health/Watch");
    assertThat(before.ended()).isEqualTo(Status.UNAVAILABLE);
    assertThat(after.ended()).isEqualTo(Status.UNAVAILABLE);
    assertThat(counted.ended()).isNull();
    assertThat(counted.isStopping()).isTrue();
  }
}
