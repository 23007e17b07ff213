package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A stop comes to its end whatever fails in it, whoever calls it, and whatever is connected. */
class ServerStopStepsTest extends RpcTest {
  private static final List<String> STEPS = List.of(
      "shutdown hook",
      "health",
      "delay",
      "socket file",
      "sockets",
      "signal",
      "drain",
      "cut",
      "connections",
      "threads",
      "timeouts",
      "observers",
      "files");

  static List<String> steps() {
    return STEPS;
  }

  @Test
  void stepsAreAllHere() throws Exception {
    RpcServer server = start(stuck());
    List<String> seen = new ArrayList<>();
    server.beforeStopStep = seen::add;

    server.stop(Duration.ZERO);

    assertThat(seen).isEqualTo(STEPS);
  }

  private RpcServerBuilder stuck() {
    return RpcServer.builder().addService(TestService.unary((request, replies) -> {
      awaitRelease();
      replies.onNext(HelloReply.getDefaultInstance());
      replies.onCompleted();
    }));
  }

  /** Each step, with a call that is stuck, and a peer that says nothing. */
  @ParameterizedTest
  @MethodSource("steps")
  void serverIsDownWhicheverStepFails(String failing) throws Exception {
    RpcServer server = start(stuck());
    Socket idle = idlePeer(server);
    Channel channel = channel(server);
    CompletableFuture<Status> open = Threads.call(() -> failure(() -> call(channel)));
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);
    server.beforeStopStep = step -> {
      if (step.equals(failing)) {
        throw new StackOverflowError("thrown by a test");
      }
    };

    StopReport report = server.stop(Duration.ofMillis(100));

    if (failing.equals("connections")) {
      // gRPC itself would wait 10 seconds for this peer.
      idle.close();
    }
    Await.until("the server is down", server::isTerminated);
    assertThat(open.get(20, TimeUnit.SECONDS).getCode())
        .isIn(Status.Code.UNAVAILABLE, Status.Code.CANCELLED);
    assertThat(report.cut()).isEqualTo(failing.equals("cut") ? 0 : 1);
    if (!failing.equals("connections")) {
      assertThat(idle.getInputStream().readAllBytes()).isNotNull();
    }
    Await.until("its port is free", () -> isFree(server.port()));
  }

  /** Any connection of another program may have got the port for a moment. */
  private static boolean isFree(int port) throws IOException {
    try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
      return socket.isBound();
    } catch (BindException taken) {
      return false;
    }
  }

  /** Returns a connection that has begun to speak HTTP/2, and says nothing any more. */
  private Socket idlePeer(RpcServer server) throws Exception {
    Socket socket = closing(new Socket(InetAddress.getLoopbackAddress(), server.port()));
    socket
        .getOutputStream()
        .write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    socket.getOutputStream().write(new byte[] {0, 0, 0, 4, 0, 0, 0, 0, 0});
    Await.until("it is connected", () -> server.counters().connectionsOpen() > 0);
    return socket;
  }

  /** The time of an idle peer begins when the last call has ended, if there is one. */
  @Test
  void idlePeerHoldsUpNoStop() throws Exception {
    Threads.forEach(List.of("no call", "a call"), calls -> {
      if (calls.equals("no call")) {
        stopBesideAnIdlePeer();
      } else {
        callGoesOnBesideAnIdlePeer();
      }
    });
  }

  /** gRPC waits 10 seconds for its answer to a PING. */
  private void stopBesideAnIdlePeer() throws Exception {
    RpcServer server = start(stuck());
    idlePeer(server);

    StopReport report = server.stop(Duration.ofSeconds(30));

    assertThat(report.took()).isLessThan(Duration.ofSeconds(8));
    assertThat(report.cut()).isZero();
    assertThat(server.isTerminated()).isTrue();
  }

  private void callGoesOnBesideAnIdlePeer() throws Exception {
    RpcServer server = start(stuck());
    idlePeer(server);
    Channel channel = channel(server);
    CompletableFuture<HelloReply> open = Threads.call(() -> call(channel));
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);

    CompletableFuture<StopReport> stop = Threads.call(() -> server.stop(Duration.ofSeconds(60)));
    long begin = System.nanoTime();
    Await.until(
        "more time has passed than an idle peer has",
        () -> System.nanoTime() - begin > ServerStop.MOST_FOR_IDLE_PEERS * 5 / 4);
    assertThat(stop).isNotDone();
    released.countDown();

    assertThat(open.get()).isEqualTo(HelloReply.getDefaultInstance());
    assertThat(stop.get().finished()).isEqualTo(1);
    assertThat(stop.get().cut()).isZero();
  }

  /** They were nested in each other, and overflowed the stack. */
  @ParameterizedTest
  @EnumSource(names = {"DEFAULT", "DIRECT"})
  void everyCallbackRunsOnce(CallbackThreadsTest.Mode mode) throws Exception {
    int callbacks = 50_000;
    AtomicInteger ran = new AtomicInteger();
    RpcServerBuilder builder = RpcServer.builder()
        .addService(TestService.stream((request, observer) -> {
          for (int i = 0; i < callbacks; i++) {
            StopSignal.current().onGiven(() -> {
              if (ran.incrementAndGet() % 10_000 == 0) {
                throw new StackOverflowError("thrown by a test");
              }
            });
          }
          StreamWriter<HelloReply> replies = StreamWriter.of(observer);
          for (int i = 0; i < 100; i++) {
            replies.onStopping(ran::incrementAndGet);
          }
          observer.onNext(HelloReply.getDefaultInstance());
        }));
    RpcServer server =
        start(mode == CallbackThreadsTest.Mode.DIRECT ? builder.directExecutor() : builder);
    stream(channel(server)).next();

    StopReport report = server.stop(Duration.ofMillis(500));

    assertThat(report.cut()).isEqualTo(1);
    assertThat(server.isTerminated()).isTrue();
    Await.until("all have run", () -> ran.get() == callbacks + 100);
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
  }

  @Test
  void secondStopWaitsForTheFirst() throws Exception {
    RpcServer server = start(stuck());
    Channel channel = channel(server);
    CompletableFuture<HelloReply> open = Threads.call(() -> call(channel));
    Await.until("the call is open", () -> server.counters().callsOpen() == 1);
    CountDownLatch begun = new CountDownLatch(1);
    server.beforeStopStep = step -> begun.countDown();
    CompletableFuture<StopReport> first = Threads.call(() -> server.stop(Duration.ofMinutes(1)));
    begun.await();

    assertThat(server.stop(Duration.ofMillis(100)).cut()).isZero();
    assertThat(first).isNotDone();
    CompletableFuture<StopReport> second = Threads.call(() -> server.stop(Duration.ofMinutes(1)));
    released.countDown();

    assertThat(first.get().finished()).isEqualTo(1);
    assertThat(second.get().finished()).isZero();
    assertThat(open.get()).isEqualTo(HelloReply.getDefaultInstance());
  }

  /** The call cannot end before the stop that it waits for: on the event loop if it runs there. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void stopByACallOfTheServersOwnHasAnEnd(boolean direct) throws Exception {
    CompletableFuture<RpcServer> self = new CompletableFuture<>();
    CompletableFuture<StopReport> report = new CompletableFuture<>();
    RpcServerBuilder builder = RpcServer.builder()
        .addService(TestService.unary(
            (request, replies) -> report.complete(self.join().stop(Duration.ofMillis(200)))));
    RpcServer server = start(direct ? builder.directExecutor() : builder);
    self.complete(server);
    Channel channel = channel(server);

    Status status = failure(() -> call(channel));

    assertThat(status.getCode()).isIn(Status.Code.UNAVAILABLE, Status.Code.CANCELLED);
    assertThat(report.get(30, TimeUnit.SECONDS).cut()).isEqualTo(1);
    Await.until("the server is down", server::isTerminated);
  }

  /** It went through the stop of another one's calls. */
  @Test
  void callbackThatStopsTheServerAgainHasAnEnd() throws Exception {
    CompletableFuture<RpcServer> self = new CompletableFuture<>();
    RpcServer server =
        start(RpcServer.builder().addService(TestService.stream((request, observer) -> {
          StopSignal.current().onGiven(() -> {
            self.join().stop(Duration.ofMillis(100));
            observer.onCompleted();
          });
          observer.onNext(HelloReply.getDefaultInstance());
        })));
    self.complete(server);
    stream(channel(server)).next();

    StopReport report = server.stop(Duration.ofSeconds(20));

    assertThat(report.finished()).isEqualTo(1);
    assertThat(report.cut()).isZero();
  }

  /** Calls on their way when the server takes no more are answered, or refused in words. */
  @Test
  void callsThatComeDuringTheStopAreAnsweredOrRefusedInWords() throws Exception {
    released.countDown();
    RpcServer server = start(stuck());
    Channel channel = channel(server);
    call(channel);
    List<CompletableFuture<Status>> ends = new ArrayList<>();
    CompletableFuture<StopReport> stop = Threads.call(() -> server.stop(Duration.ofSeconds(20)));
    for (int i = 0; i < 200; i++) {
      ends.add(open(channel));
    }

    stop.get();
    for (CompletableFuture<Status> each : ends) {
      assertThat(each.get(20, TimeUnit.SECONDS).getCode())
          .isIn(Status.Code.OK, Status.Code.UNAVAILABLE);
    }
    Await.until("no call is open", () -> server.counters().callsOpen() == 0);
  }

  private static CompletableFuture<Status> open(Channel channel) {
    CompletableFuture<Status> end = new CompletableFuture<>();
    ClientCall<HelloRequest, HelloReply> call =
        channel.newCall(TestService.UNARY, CallOptions.DEFAULT);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onClose(Status status, Metadata trailers) {
            end.complete(status);
          }
        },
        new Metadata());
    call.request(2);
    call.sendMessage(REQUEST);
    call.halfClose();
    return end;
  }
}
