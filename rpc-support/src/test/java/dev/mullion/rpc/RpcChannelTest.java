package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ConnectivityState;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCalls;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RpcChannelTest extends RpcTest {
  private RpcServer greeter(String greeting) throws IOException {
    return start(RpcServer.builder().addService(GreeterService.greeting(name -> greeting)));
  }

  private static RpcChannelBuilder to(RpcServer server) {
    return RpcChannel.builder().target("127.0.0.1:" + server.port());
  }

  /** Returns a port that nobody listens on. */
  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  @Test
  void callsATarget() throws Exception {
    RpcServer server = greeter("hi");
    RpcChannel channel =
        closing(RpcChannel.builder().target("localhost:" + server.port()).build());

    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("hi");
    assertThat(channel.authority()).isEqualTo("localhost:" + server.port());
    assertThat(channel.state()).isEqualTo(ConnectivityState.READY);
    channel.close();
    assertThat(channel.isTerminated()).isTrue();
    assertThat(failure(() -> GreeterClient.of(channel).sayHello("x")).getCode())
        .isEqualTo(Status.Code.UNAVAILABLE);
  }

  @Test
  void callsAServerInThisProcess() throws Exception {
    start(RpcServer.builder().inProcessName("rpc-channel-test").addService(new GreeterService()));
    RpcChannel channel =
        closing(RpcChannel.builder().inProcessName("rpc-channel-test").build());

    assertThat(GreeterClient.of(channel).sayHello("world")).isEqualTo("Hello, world!");
  }

  @Test
  void severalAddressesAreCalledInTurnButNotThoseThatDoNotServe() throws Exception {
    RpcServer one = greeter("one");
    RpcServer two = greeter("two");
    RpcServer three = greeter("three");
    GreeterClient client = GreeterClient.of(closing(RpcChannel.builder()
        .address("127.0.0.1", one.port())
        .address("127.0.0.1", two.port())
        .address("127.0.0.1", three.port())
        .connect()));

    Await.until("all are called", () -> answers(client, 3).size() == 3);
    two.setServing("", false);
    Await.until("two is not called", () -> answers(client, 10).equals(Set.of("one", "three")));
    two.setServing("", true);
    Await.until("two is called again", () -> answers(client, 3).size() == 3);
    three.stop(Duration.ofSeconds(5));
    Await.until("three is gone", () -> answers(client, 10).equals(Set.of("one", "two")));
  }

  @Test
  void addressesOfOneNameAreCalledInTurnByChoice() throws Exception {
    RpcServer one = greeter("one");
    RpcServer two = greeter("two");
    Names names = new Names(List.of(one.address(), two.address()));
    closing(names.register());
    GreeterClient byDefault =
        GreeterClient.of(closing(RpcChannel.builder().target("names:///greeter").build()));
    GreeterClient inTurn = GreeterClient.of(
        closing(RpcChannel.builder().target("names:///greeter").roundRobin(true).build()));

    assertThat(answers(byDefault, 10)).hasSize(1);
    Await.until("both are called", () -> answers(inTurn, 4).size() == 2);
    two.setServing("", false);
    Await.until("two is not called", () -> answers(inTurn, 10).equals(Set.of("one")));
  }

  @Test
  void serverWithoutAnAddressIsLeftOut() throws Exception {
    RpcChannel channel = closing(RpcChannel.builder()
        .address("no.such.host.invalid", 1)
        .address("127.0.0.1", greeter("here").port())
        .build());
    RpcChannelBuilder unknown =
        RpcChannel.builder().address("one.invalid", 1).address("two.invalid", 2);

    assertThat(answers(GreeterClient.of(channel), 3)).containsExactly("here");
    assertThatExceptionOfType(ConnectException.class)
        .isThrownBy(unknown::connect)
        .withMessage("cannot connect to one.invalid:1, two.invalid:2: "
            + "unknown hosts one.invalid, two.invalid");
  }

  private static Set<String> answers(GreeterClient client, int calls) {
    Set<String> answers = new HashSet<>();
    for (int i = 0; i < calls; i++) {
      answers.add(client.sayHello("x"));
    }
    return answers;
  }

  @Test
  void defaultTimeoutIsTakenWhenTheCallStarts() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
          if (released.getCount() > 0) {
            awaitRelease();
          }
          replies.onNext(HelloReply.getDefaultInstance());
          replies.onCompleted();
        })));
    RpcChannel channel =
        closing(to(server).defaultTimeout(Duration.ofMillis(100)).build());

    assertThat(failure(() -> call(channel)).getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);

    released.countDown();
    channel.setDefaultTimeout(Duration.ofSeconds(20));
    assertThat(call(channel)).isEqualTo(HelloReply.getDefaultInstance());
  }

  @Test
  void callThatTookTooLongNamesTheSetting() throws Exception {
    RpcServer server = start(
        RpcServer.builder().addService(TestService.unary((request, replies) -> awaitRelease())));
    RpcChannel channel =
        closing(to(server).defaultTimeout(Duration.ofMillis(100)).build());

    assertThat(text(failure(() -> call(channel))))
        .startsWith(
            "DEADLINE_EXCEEDED: call took longer than the channel's defaultTimeout PT0.1S: ");

    channel.setTimeout("test.Service", Duration.ofMillis(200));
    assertThat(text(failure(() -> call(channel))))
        .startsWith("DEADLINE_EXCEEDED: call took longer than the channel's timeout PT0.2S: ");
  }

  @Test
  void serverSeesTheDeadlinesThatSomebodyHasSet() throws Exception {
    BlockingQueue<Optional<Deadline>> seen = new LinkedBlockingQueue<>();
    RpcServer server = start(RpcServer.builder()
        .defaultTimeout(Duration.ZERO)
        .addService(ServerServiceDefinition.builder("test.Service")
            .addMethod(TestService.UNARY, ServerCalls.asyncUnaryCall((request, replies) -> {
              seen.add(Optional.ofNullable(Context.current().getDeadline()));
              replies.onNext(HelloReply.getDefaultInstance());
              replies.onCompleted();
            }))
            .addMethod(
                TestService.STREAM, ServerCalls.asyncServerStreamingCall((request, replies) -> {
                  seen.add(Optional.ofNullable(Context.current().getDeadline()));
                  replies.onCompleted();
                }))
            .build()));
    RpcChannel channel = closing(to(server).build());

    // The minute is the channel's own: the server, which sets no limit, sees no deadline.
    call(channel);
    assertThat(seen.take()).isEmpty();
    assertThat(stream(channel).hasNext()).isFalse();
    assertThat(seen.take()).isEmpty();

    // That of the call inside which it is made.
    ScheduledExecutorService timer = Executors.newScheduledThreadPool(1);
    closing(timer::shutdownNow);
    Context.CancellableContext hour = Context.current().withDeadlineAfter(1, TimeUnit.HOURS, timer);
    closing(() -> hour.cancel(null));
    hour.run(() -> call(channel));
    assertThat(seen.take().orElseThrow().timeRemaining(TimeUnit.MINUTES)).isBetween(50L, 60L);

    channel.setDefaultTimeout(Duration.ZERO);
    call(channel);
    assertThat(seen.take()).isEmpty();
    channel.setDefaultTimeout(Duration.ofHours(1));
    assertThat(stream(channel).hasNext()).isFalse();
    assertThat(seen.take().orElseThrow().timeRemaining(TimeUnit.MINUTES)).isBetween(50L, 60L);
  }

  @Test
  void deadlineOfTheCallItselfCounts() throws Exception {
    RpcServer server = start(RpcServer.builder().addService(GreeterService.greeting(name -> {
      awaitRelease();
      return name;
    })));
    GreeterClient client =
        GreeterClient.of(closing(to(server).defaultTimeout(Duration.ofHours(1)).build()));

    assertThat(failure(() -> client.sayHello("x", Duration.ofMillis(50))).getCode())
        .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
  }

  @Test
  void callThatWaitsForReadyIsAnsweredByAServerThatComesLater() throws Exception {
    int port = freePort();
    RpcChannel impatient =
        closing(RpcChannel.builder().address("127.0.0.1", port).build());
    RpcChannel patient = closing(
        RpcChannel.builder().address("127.0.0.1", port).waitForReady(true).build());
    assertThat(failure(() -> call(impatient)).getCode()).isEqualTo(Status.Code.UNAVAILABLE);

    CompletableFuture<String> greeting =
        Threads.call(() -> GreeterClient.of(patient).sayHello("world"));
    Await.until("it has tried", () -> patient.state() == ConnectivityState.TRANSIENT_FAILURE);
    start(RpcServer.builder().port(port).addService(new GreeterService()));

    assertThat(greeting.get()).isEqualTo("Hello, world!");
    patient.close();
    impatient.close();
  }

  @Test
  void messagesAboveTheLimitsAreRefused() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(TestService.unary((request, replies) -> {
          replies.onNext(TestService.reply(request.getSerializedSize()));
          replies.onCompleted();
        })));
    RpcChannel outbound = closing(to(server).maxOutboundMessageSize(1000).build());
    RpcChannel inbound = closing(to(server).maxInboundMessageSize(1000).build());

    assertThat(call(outbound, TestService.UNARY, TestService.request(1000)).getSerializedSize())
        .isEqualTo(1000);
    assertThat(text(failure(() -> call(outbound, TestService.UNARY, TestService.request(1001)))))
        .isEqualTo("RESOURCE_EXHAUSTED: outbound message of 1001 bytes exceeds "
            + "maxOutboundMessageSize 1000");
    assertThat(text(failure(() -> RawCall.unary(outbound, new byte[1001]))))
        .startsWith("RESOURCE_EXHAUSTED: outbound message of 1001 bytes");
    assertThat(text(failure(() -> call(inbound, TestService.UNARY, TestService.request(1001)))))
        .isEqualTo("RESOURCE_EXHAUSTED: inbound message of 1001 bytes exceeds "
            + "maxInboundMessageSize 1000");
  }

  @Test
  void interceptorsAreCalledInTheirOrder() throws Exception {
    List<String> called = Collections.synchronizedList(new ArrayList<>());
    RpcChannel channel = closing(to(greeter("hi"))
        .intercept(noting("first", called))
        .intercept(noting("second", called))
        .build());

    assertThat(GreeterClient.of(channel).sayHello("x")).isEqualTo("hi");
    assertThat(called).containsExactly("first", "second");
  }

  private static ClientInterceptor noting(String name, List<String> called) {
    return new ClientInterceptor() {
      @Override
      public <Q, R> ClientCall<Q, R> interceptCall(
          MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
        called.add(name);
        return next.newCall(method, options);
      }
    };
  }

  @Test
  void connectReturnsWhenItIsConnected() throws Exception {
    RpcChannel channel =
        closing(to(greeter("hi")).keepalive(Keepalive.defaults()).connect());

    assertThat(channel.state()).isEqualTo(ConnectivityState.READY);
  }

  @Test
  void callToNobodySaysWhereToAndWhyNot() throws Exception {
    int port = freePort();
    RpcChannel channel =
        closing(RpcChannel.builder().target("127.0.0.1:" + port).build());

    assertThat(text(failure(() -> call(channel))))
        .matches("UNAVAILABLE: cannot connect: .*Connection refused: /127.0.0.1:" + port);
  }

  @Test
  void connectSaysWhereToAndWhyNot() throws Exception {
    int port = freePort();
    RpcChannelBuilder nobody = RpcChannel.builder().target("localhost:" + port);

    assertThatExceptionOfType(ConnectException.class)
        .isThrownBy(nobody::connect)
        .withMessageMatching("cannot connect to localhost:" + port + ": .*Connection refused.*");
    assertThatExceptionOfType(ConnectException.class)
        .isThrownBy(RpcChannel.builder().target("dns:///no.such.host.invalid:1")::connect)
        .withMessageStartingWith("cannot connect to dns:///no.such.host.invalid:1: ")
        .withMessageContaining("no.such.host.invalid");
  }

  /** It accepts connections, and says nothing. */
  @Test
  void connectGivesUpAfterItsTimeout() throws Exception {
    try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      int port = silent.getLocalPort();
      assertThatExceptionOfType(ConnectException.class)
          .isThrownBy(
              RpcChannel.builder().address("127.0.0.1", port).connectTimeout(Duration.ofMillis(200))
                  ::connect)
          .withMessage(
              "cannot connect to 127.0.0.1:" + port + ": no answer within connectTimeout PT0.2S");
    }
  }

  @Test
  void settingsThatContradictEachOtherAreRefused() {
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder()::build)
        .withMessage("places to call: 0 (expected: 1 of target, address, path, inProcessName)");
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().target("a:1").address("b", 2)::build)
        .withMessage("places to call: 2 (expected: 1 of target, address, path, inProcessName)");
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().inProcessName("x").keepalive(Keepalive.defaults())::build)
        .withMessage("inProcessName: x (expected: no keepalive set)");
    assertThatIllegalStateException()
        .isThrownBy(RpcChannel.builder().inProcessName("x").roundRobin(true)::build)
        .withMessage("roundRobin requires target or address");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().address("b", 0))
        .withMessage("port: 0 (expected: 1 to 65535)");
    for (String target : new String[] {"localhost:99999", "[::1]:0", "dns:///localhost:70000"}) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> RpcChannel.builder().target(target))
          .withMessage("target: " + target + " (expected: a port from 1 to 65535)");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(RpcChannel.builder().target("unknown:///x")::build)
        .withMessage(
            "target: unknown:///x (expected: such as localhost:50051 or dns:///host:50051): "
                + "Could not find a NameResolverProvider for unknown:///x");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> RpcChannel.builder().connectTimeout(Duration.ZERO))
        .withMessage("connectTimeout: PT0S (expected: > PT0S)");
  }
}
