package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.Channel;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import io.grpc.stub.StreamObserver;
import java.net.BindException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RpcServerTest extends RpcTest {
  private static RpcServerBuilder greeter() {
    return RpcServer.builder().addService(new GreeterService());
  }

  @Test
  void greetsOnLoopbackByDefault() throws Exception {
    RpcServer server = start(greeter());

    assertThat(server.address()).hasToString("/127.0.0.1:" + server.port());
    assertThat(GreeterClient.of(channel(server)).sayHello("world")).isEqualTo("Hello, world!");
    Await.until("the call has ended", () -> server.counters().callsSucceeded() == 1);
    assertThat(server.counters())
        .hasToString("RpcCounters{connectionsOpen=1, connectionsOpened=1, connectionsRefused=0, "
            + "connectionsOfOtherProtocols=0, connectionsFailedInTls=0, connectionsTimedOut=0, "
            + "connectionsEndedForResets=0, connectionsEndedForPings=0, "
            + "connectionsEndedForStreamErrors=0, connectionsEndedForContinuations=0, "
            + "connectionsEndedForControlFrames=0, connectionsEndedForOther=0, "
            + "callsOpen=0, callsWaiting=0, callsStarted=1, callsSucceeded=1, callsFailed=0, "
            + "callsRefused=0, callsMalformed=0, callsTimedOut=0, callsWithoutThread=0, "
            + "callsCut=0, replyBytesPending=0, repliesRefused=0, repliesDropped=0, "
            + "accessRecordsDropped=0, tlsReloadsFailed=0, observersFailed=0}");
  }

  @Test
  void servicesRunOnThreadsOfTheirOwn() throws Exception {
    RpcServer server =
        start(RpcServer.builder().addService(GreeterService.greeting(name -> thread())));

    String thread = GreeterClient.of(channel(server)).sayHello("x");

    assertThat(thread).startsWith(CallThreads.NAME);
  }

  @Test
  void directServicesRunOnTheEventLoop() throws Exception {
    RpcServer server = start(
        RpcServer.builder().directExecutor().addService(GreeterService.greeting(name -> thread())));

    String thread = GreeterClient.of(channel(server)).sayHello("x");

    assertThat(thread).startsWith("grpc-").contains("ELG");
  }

  @Test
  void executorIsUsedAndLeftRunning() throws Exception {
    List<String> ran = Collections.synchronizedList(new ArrayList<>());
    RpcServer server = start(greeter().executor(task -> {
      ran.add("task");
      task.run();
    }));

    assertThat(GreeterClient.of(channel(server)).sayHello("x")).isEqualTo("Hello, x!");
    assertThat(ran).isNotEmpty();
  }

  private static String thread() {
    return Thread.currentThread().getName();
  }

  @Test
  void serverInThisProcessHasAName() throws Exception {
    RpcServer server = start(greeter().inProcessName("rpc-server-test"));
    ManagedChannel channel = InProcessChannelBuilder.forName("rpc-server-test").build();
    closing(() -> channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));

    assertThat(GreeterClient.of(channel).sayHello("world")).isEqualTo("Hello, world!");
    assertThat(server.port()).isEqualTo(-1);
    assertThatExceptionOfType(BindException.class)
        .isThrownBy(greeter().inProcessName("rpc-server-test")::start)
        .withMessage("cannot listen on inProcessName rpc-server-test: it is in use");
  }

  @Test
  void interceptorsAreCalledInTheirOrder() throws Exception {
    List<String> called = Collections.synchronizedList(new ArrayList<>());
    RpcServer server =
        start(greeter().intercept(noting("first", called)).intercept(noting("second", called)));

    assertThat(GreeterClient.of(channel(server)).sayHello("world")).isEqualTo("Hello, world!");
    assertThat(called).containsExactly("first", "second");
  }

  private static ServerInterceptor noting(String name, List<String> called) {
    return new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        called.add(name);
        return next.startCall(call, headers);
      }
    };
  }

  @Test
  void healthIsServedForEachService() throws Exception {
    RpcServer server = start(greeter());
    ManagedChannel channel = channel(server);

    assertThat(health(channel, "")).isEqualTo(ServingStatus.SERVING);
    assertThat(health(channel, "hello.Greeter")).isEqualTo(ServingStatus.SERVING);
    assertThat(text(failure(() -> health(channel, "other")))).startsWith("NOT_FOUND: ");

    server.setServing("hello.Greeter", false);

    assertThat(health(channel, "hello.Greeter")).isEqualTo(ServingStatus.NOT_SERVING);
    assertThat(health(channel, "")).isEqualTo(ServingStatus.SERVING);
    assertThat(server.counters().callsStarted()).isZero();
    assertThatIllegalArgumentException()
        .isThrownBy(() -> server.setServing("hello.Gretter", true))
        .withMessage("service: \"hello.Gretter\" (expected: \"\" or one of hello.Greeter)");
  }

  static ServingStatus health(Channel channel, String service) {
    return HealthGrpc.newBlockingStub(channel)
        .check(HealthCheckRequest.newBuilder().setService(service).build())
        .getStatus();
  }

  @Test
  void reflectionListsTheServices() throws Exception {
    RpcServer server = start(greeter());
    CompletableFuture<List<String>> listed = new CompletableFuture<>();

    StreamObserver<ServerReflectionRequest> requests = ServerReflectionGrpc.newStub(channel(server))
        .serverReflectionInfo(new StreamObserver<>() {
          @Override
          public void onNext(ServerReflectionResponse response) {
            listed.complete(response.getListServicesResponse().getServiceList().stream()
                .map(ServiceResponse::getName)
                .toList());
          }

          @Override
          public void onError(Throwable error) {
            listed.completeExceptionally(error);
          }

          @Override
          public void onCompleted() {}
        });
    requests.onNext(ServerReflectionRequest.newBuilder().setListServices("").build());

    assertThat(listed.get())
        .containsExactlyInAnyOrder(
            "hello.Greeter",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection");
    requests.onCompleted();
  }

  @Test
  void healthAndReflectionCanBeLeftOut() throws Exception {
    RpcServer server = start(greeter().health(false).reflection(false));

    assertThat(text(failure(() -> health(channel(server), ""))))
        .isEqualTo("UNIMPLEMENTED: Method not found: grpc.health.v1.Health/Check");
    assertThatIllegalStateException()
        .isThrownBy(() -> server.setServing("hello.Greeter", false))
        .withMessage("health: false (expected: true, for setServing)");
  }

  @Test
  void portInUseIsNamed() throws Exception {
    int port = start(greeter()).port();

    assertThatExceptionOfType(BindException.class)
        .isThrownBy(greeter().port(port)::start)
        .withMessageStartingWith("cannot listen on /127.0.0.1:" + port + ": ")
        .withMessageContaining("Address already in use");
  }

  @Test
  void unknownHostIsNamed() {
    assertThatExceptionOfType(UnknownHostException.class)
        .isThrownBy(greeter().host("no.such.host.invalid")::start)
        .withMessage("host: no.such.host.invalid (expected: a name that can be resolved)");
  }

  @Test
  void settingsThatContradictEachOtherAreRefused() {
    assertThatIllegalStateException()
        .isThrownBy(RpcServer.builder()::start)
        .withMessage("services: 0 (expected: at least 1 by addService)");
    assertThatIllegalStateException()
        .isThrownBy(greeter().addService(new GreeterService())::start)
        .withMessage("service hello.Greeter: added twice (expected: once)");
    assertThatIllegalStateException()
        .isThrownBy(greeter().inProcessName("x").port(0)::start)
        .withMessage(
            "inProcessName: x (expected: neither host, port, address, path, tls nor keepalive"
                + " set)");
    assertThatIllegalStateException()
        .isThrownBy(greeter().directExecutor().executor(Runnable::run)::start)
        .withMessage("directExecutor and executor (expected: one of them)");
    assertThatIllegalStateException()
        .isThrownBy(greeter().directExecutor().maxHandlerThreads(4)::start)
        .withMessage("maxHandlerThreads: 4 (expected: neither directExecutor nor executor set)");
    assertThatIllegalStateException()
        .isThrownBy(
            greeter().defaultTimeout(Duration.ofSeconds(2)).maxTimeout(Duration.ofSeconds(1))
                ::start)
        .withMessage("defaultTimeout: PT2S (expected: <= maxTimeout: PT1S)");
    assertThatIllegalStateException()
        .isThrownBy(greeter().shutdownDelay(Duration.ofSeconds(5))::start)
        .withMessage("shutdownDelay: PT5S (expected: < closeTimeout: PT5S)");
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().port(70000))
        .withMessage("port: 70000 (expected: 0 to 65535)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().host(" "))
        .withMessage("host: \" \" (expected: a name or address)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().maxInboundMessageSize(0))
        .withMessage("maxInboundMessageSize: 0 (expected: >= 1)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> greeter().defaultTimeout(Duration.ofSeconds(-1)))
        .withMessage("defaultTimeout: PT-1S (expected: >= PT0S)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Keepalive.defaults().time(Duration.ofSeconds(5)))
        .withMessage("time: PT5S (expected: >= PT10S)");
  }

  @Test
  void oneBuilderStartsSeveralServers() throws Exception {
    RpcServerBuilder builder = greeter();
    RpcServer first = start(builder);
    builder.mapException(IllegalStateException.class, thrown -> Status.ABORTED);
    RpcServer second = start(builder);

    assertThat(first.port()).isNotEqualTo(second.port());
    assertThat(GreeterClient.of(channel(second)).sayHello("x")).isEqualTo("Hello, x!");
  }

  /** gRPC would take the server's own in place of the one that was added. */
  @Test
  void healthOfOnesOwnIsInPlaceOfTheServersByChoiceOnly() throws Exception {
    HealthStatusManager health = new HealthStatusManager();
    health.setStatus("", ServingStatus.NOT_SERVING);

    assertThatIllegalStateException()
        .isThrownBy(greeter().addService(health.getHealthService())::start)
        .withMessage("service grpc.health.v1.Health: added, but the server already has it"
            + " (expected: one of them, see health, reflection, channelz and admin)");

    RpcServer server = start(greeter().health(false).addService(health.getHealthService()));
    assertThat(health(channel(server), "")).isEqualTo(ServingStatus.NOT_SERVING);
  }
}
