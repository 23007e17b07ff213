package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.channelz.v1.ChannelzGrpc;
import io.grpc.channelz.v1.GetServersRequest;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.testing.exporter.InMemoryMetricReader;
import java.net.UnixDomainSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ObservabilityTest extends RpcTest {
  private static RpcServerBuilder greeter() {
    return RpcServer.builder().addService(new GreeterService());
  }

  private RpcChannelBuilder to(RpcServer server) {
    return RpcChannel.builder().address("127.0.0.1", server.port());
  }

  private static Channel withRequestId(Channel channel, String id) {
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER), id);
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  @Test
  void eachCallIsARecordOfTheAccessLog() throws Exception {
    List<CallRecord> calls = new CopyOnWriteArrayList<>();
    RpcServer server = start(greeter().accessLog(calls::add));
    ManagedChannel channel = channel(server);

    GreeterClient.of(withRequestId(channel, "a b\"c")).sayHello("x");
    Await.until("it is logged", () -> calls.size() == 1);
    failure(() -> GreeterClient.of(channel).sayHello(""));
    Await.until("it is logged", () -> calls.size() == 2);
    failure(() -> call(channel));
    Await.until("it is logged", () -> calls.size() == 3);

    CallRecord good = calls.get(0);
    assertThat(good.status()).isEqualTo(Status.OK);
    assertThat(good.duration()).isPositive();
    // Their messages, and the five bytes before each.
    assertThat(good.toString())
        .matches("hello.Greeter/SayHello peer=127\\.0\\.0\\.1:\\d+ status=OK ms=\\d+\\.\\d{3} "
            + "received=1/\\d+ sent=1/\\d+ id=a\\?b\"c");
    assertThat(good.bytesReceived()).isBetween(3L, 8L);
    assertThat(good.bytesSent()).isBetween(11L, 16L);
    assertThat(calls.get(1).toString())
        .matches("hello.Greeter/SayHello peer=127\\.0\\.0\\.1:\\d+ status=INVALID_ARGUMENT "
            + "ms=\\d+\\.\\d{3} received=1/\\d+ sent=0/0 id=-");
    assertThat(calls.get(2).toString())
        .matches("test.Service/Unary peer=- status=UNIMPLEMENTED "
            + "ms=\\d+\\.\\d{3} received=\\d/\\d+ sent=0/0 id=-");
  }

  @Test
  void refusedCallsAreLoggedAndHealthIsNot() throws Exception {
    List<CallRecord> calls = new CopyOnWriteArrayList<>();
    RpcServer server = start(RpcServer.builder()
        .maxCalls(1)
        .accessLog(calls::add)
        .addService(TestService.unary((request, replies) -> awaitRelease())));
    ManagedChannel channel = channel(server);
    ClientCalls.futureUnaryCall(channel.newCall(TestService.UNARY, CallOptions.DEFAULT), REQUEST);
    Await.until("a call is open", () -> server.counters().callsOpen() == 1);

    RpcServerTest.health(channel, "");
    failure(() -> call(channel));

    Await.until("a call is logged", () -> !calls.isEmpty());
    assertThat(calls).hasSize(1);
    assertThat(calls.get(0).status().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
  }

  @Test
  void slowAccessLogHoldsUpNoCallAndLosesWhatIsTooMuch() throws Exception {
    CountDownLatch written = new CountDownLatch(1);
    RpcServer server = start(greeter().accessLog(call -> {
      written.countDown();
      awaitRelease();
    }));
    GreeterClient client = GreeterClient.of(channel(server));

    int calls = AccessLog.MAX_WAITING + 100;
    for (int i = 0; i < calls / 100; i++) {
      List<CompletableFuture<String>> some = new ArrayList<>();
      for (int j = 0; j < 100; j++) {
        some.add(client.sayHelloAsync("x"));
      }
      some.forEach(CompletableFuture::join);
    }
    written.await();

    Await.until("all have ended", () -> server.counters().callsSucceeded() == calls);
    Await.until("the rest is dropped", () -> server.counters().accessRecordsDropped() == 99);
  }

  @Test
  void accessLogThatThrowsGoesOn() throws Exception {
    List<CallRecord> calls = new CopyOnWriteArrayList<>();
    RpcServer server = start(greeter().accessLog(call -> {
      calls.add(call);
      throw new IllegalStateException("full");
    }));
    GreeterClient client = GreeterClient.of(channel(server));

    client.sayHello("x");
    client.sayHello("x");

    Await.until("both were logged", () -> calls.size() == 2);
  }

  @Test
  void accessLogIsALineInTheLogByDefault() throws Exception {
    List<String> lines = new CopyOnWriteArrayList<>();
    Logger logger = Logger.getLogger("dev.mullion.rpc.access");
    Handler handler = new Handler() {
      @Override
      public void publish(LogRecord line) {
        lines.add(line.getMessage());
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    };
    logger.addHandler(handler);
    logger.setUseParentHandlers(false);
    try {
      GreeterClient.of(channel(start(greeter().accessLog()))).sayHello("x");
      Await.until("it is logged", () -> !lines.isEmpty());
    } finally {
      logger.setUseParentHandlers(true);
      logger.removeHandler(handler);
    }
    assertThat(lines).hasSize(1);
    assertThat(lines.get(0)).startsWith("hello.Greeter/SayHello peer=127.0.0.1:");
  }

  private static long count(MeterRegistry registry, String side, String method, String status) {
    return registry
        .find("mullion.rpc." + side + ".calls")
        .tags("method", method, "status", status)
        .timers()
        .stream()
        .mapToLong(Timer::count)
        .sum();
  }

  @Test
  void callsCountersAndLimitsAreMeters() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    RpcServer server = start(greeter().observe(MicrometerObserver.of(registry)).maxCalls(7));
    RpcChannel channel =
        closing(to(server).observe(MicrometerObserver.of(registry)).build());

    GreeterClient.of(channel).sayHello("x");
    GreeterClient.of(channel).sayHello("y");
    failure(() -> GreeterClient.of(channel).sayHello(""));
    failure(() -> call(channel));
    Await.until("all have ended", () -> server.counters().callsFailed() == 2);

    String greet = "hello.Greeter/SayHello";
    Await.until(
        "all are counted",
        () -> count(registry, "server", greet, "OK") == 2
            && count(registry, "server", greet, "INVALID_ARGUMENT") == 1
            && count(registry, "server", "unknown", "UNIMPLEMENTED") == 1);
    for (String side : List.of("server", "client")) {
      assertThat(count(registry, side, greet, "OK")).isEqualTo(2);
      assertThat(count(registry, side, greet, "INVALID_ARGUMENT")).isEqualTo(1);
    }
    assertThat(count(registry, "client", "unknown", "UNIMPLEMENTED")).isEqualTo(1);
    assertThat(registry
            .get("mullion.rpc.server.message.size")
            .tags("method", greet, "direction", "sent")
            .summary()
            .count())
        .isEqualTo(2);
    assertThat(registry
            .get("mullion.rpc.client.message.size")
            .tags("method", greet, "direction", "received")
            .summary()
            .totalAmount())
        .isBetween(22.0, 32.0);
    String address = "127.0.0.1:" + server.port();
    assertThat(registry.getMeters())
        .filteredOn(meter -> address.equals(meter.getId().getTag("address")))
        .hasSize(server.counters().asMap().size() + 2);
    assertThat(registry.get("mullion.rpc.calls.started").functionCounter().count())
        .isEqualTo(4);
    assertThat(registry.get("mullion.rpc.connections.open").gauge().value()).isEqualTo(1);
    assertThat(registry.get("mullion.rpc.max.calls").gauge().value()).isEqualTo(7);
    assertThat(registry.get("mullion.rpc.max.connections").gauge().value()).isEqualTo(10_000);

    channel.close();
    awaitNoClients(server);
    server.close();
    assertThat(registry.getMeters())
        .filteredOn(meter -> meter.getId().getTag("address") != null)
        .isEmpty();
  }

  /** The channel's own refusals counted as cancelled, and as its callers saw them nowhere. */
  @Test
  void metersOfAChannelShowWhatItsCallersSee() throws Exception {
    SimpleMeterRegistry registry = new SimpleMeterRegistry();
    RpcServer server = start(greeter());
    RpcChannel channel = closing(to(server)
        .observe(MicrometerObserver.of(registry))
        .maxOutboundMessageSize(10)
        .build());

    failure(() -> GreeterClient.of(channel).sayHello("a name that is too long"));

    assertThat(count(registry, "client", "hello.Greeter/SayHello", "RESOURCE_EXHAUSTED"))
        .isEqualTo(1);
  }

  @Test
  void serverWhoseMetersFailStartsWithoutThem() throws Exception {
    MeterRegistry refusing = new SimpleMeterRegistry();
    refusing.config().onMeterAdded(meter -> {
      if (meter instanceof Gauge) {
        throw new IllegalArgumentException("no gauges here");
      }
    });

    RpcServer server =
        start(greeter().inProcessName("meters-fail").observe(MicrometerObserver.of(refusing)));

    assertThat(server.counters().observersFailed()).isPositive();
  }

  @Test
  void recordNamesNoPeerThatHasNoName() {
    CallRecord call = new CallRecord(
        "a.B/C",
        UnixDomainSocketAddress.of(""),
        Status.OK,
        Duration.ofMillis(1),
        1,
        7,
        1,
        15,
        null);

    assertThat(call).hasToString("a.B/C peer=- status=OK ms=1.000 received=1/7 sent=1/15 id=-");
  }

  @Test
  void openTelemetryMeasuresBothSides() throws Exception {
    InMemoryMetricReader reader = InMemoryMetricReader.create();
    try (OpenTelemetrySdk sdk = OpenTelemetrySdk.builder()
        .setMeterProvider(
            SdkMeterProvider.builder().registerMetricReader(reader).build())
        .build()) {
      RpcServer server = start(greeter().observe(OpenTelemetryObserver.of(sdk)));
      RpcChannel channel =
          closing(to(server).observe(OpenTelemetryObserver.of(sdk)).build());

      GreeterClient.of(channel).sayHello("x");

      Set<String> expected = Set.of(
          "grpc.server.call.started",
          "grpc.server.call.duration",
          "grpc.client.call.duration",
          "grpc.client.attempt.started");
      Await.until(
          "all are there",
          () -> reader.collectAllMetrics().stream()
              .map(MetricData::getName)
              .collect(Collectors.toSet())
              .containsAll(expected));
    }
  }

  @Test
  void channelzAndAdminAreServedByChoice() throws Exception {
    assertThat(failure(() -> servers(start(greeter()))).getCode())
        .isEqualTo(Status.Code.UNIMPLEMENTED);
    assertThat(servers(start(greeter().channelz(true)))).isPositive();
    assertThat(servers(start(greeter().admin(true)))).isPositive();
    assertThat(servers(start(greeter().admin(true).channelz(true)))).isPositive();
  }

  private int servers(RpcServer server) {
    return ChannelzGrpc.newBlockingStub(channel(server))
        .getServers(GetServersRequest.getDefaultInstance())
        .getServerCount();
  }
}
