package dev.mullion.rpc;

import static dev.mullion.rpc.RpcTest.REQUEST;
import static dev.mullion.rpc.RpcTest.call;
import static dev.mullion.rpc.RpcTest.failure;
import static dev.mullion.rpc.RpcTest.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.mullion.framing.testing.Await;
import dev.mullion.rpc.greeter.GreeterClient;
import dev.mullion.rpc.greeter.GreeterService;
import dev.mullion.rpc.greeter.HelloReply;
import io.grpc.CallOptions;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;

/** The settings of channels, and of what is given to servers and channels. */
final class ChannelEdges extends EdgeRows {
  private static final List<Integer> WRONG_ATTEMPTS = List.of(1, 101);
  private static final List<Double> RATIOS = List.of(0.001, 1000.0);
  private static final List<Double> WRONG_RATIOS =
      List.of(0.0, 0.0009, 1000.001, Double.NaN, Double.POSITIVE_INFINITY);

  ChannelEdges() {
    limitsOfChannels();
    timesOfChannels();
    values();
    retries();
    hedges();
  }

  private <V> void ofChannel(
      String setting,
      Class<V> type,
      List<V> allowed,
      List<V> refused,
      BiFunction<RpcChannelBuilder, V, RpcChannelBuilder> set,
      Expected<V> expected) {
    String name = setting.replaceFirst("\\(.*", "");
    row("RpcChannelBuilder." + parameters(setting, type), name, allowed, refused, value -> {
      try (RpcServer server = RpcServer.builder().addService(echo()).start();
          RpcChannel channel = set.apply(to(server), value).build()) {
        expected.of(value, channel);
      }
    });
  }

  private void limitsOfChannels() {
    List<Integer> least = List.of(1, MAX);
    ofChannel(
        "maxInboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcChannelBuilder::maxInboundMessageSize,
        EdgeRows::emptyIfLeast);
    ofChannel(
        "maxOutboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcChannelBuilder::maxOutboundMessageSize,
        EdgeRows::emptyIfLeast);
    ofChannel(
        "maxInboundMetadataSize",
        Integer.class,
        List.of(512, MAX),
        List.of(511),
        RpcChannelBuilder::maxInboundMetadataSize,
        EdgeRows::works);
    ofChannel(
        "perRpcBufferLimit",
        Integer.class,
        least,
        List.of(0),
        (builder, value) -> builder
            .perRpcBufferLimit(value)
            .retryBufferSize(MAX)
            .retryPolicy(RetryPolicy.defaults()),
        EdgeRows::works);
    ofChannel(
        "retryBufferSize",
        Integer.class,
        least,
        List.of(0),
        (builder, value) ->
            builder.perRpcBufferLimit(1).retryBufferSize(value).retryPolicy(RetryPolicy.defaults()),
        EdgeRows::works);
  }

  private void timesOfChannels() {
    List<Duration> negative = List.of(NEGATIVE);
    List<Duration> zeroOrMore = List.of(Duration.ZERO, NANO, GREATEST);
    ofChannel(
        "defaultTimeout",
        Duration.class,
        zeroOrMore,
        negative,
        RpcChannelBuilder::defaultTimeout,
        late("the channel's defaultTimeout"));
    ofChannel(
        "timeout(MethodDescriptor, Duration)",
        Duration.class,
        zeroOrMore,
        negative,
        (builder, value) -> builder.timeout(TestService.UNARY, value),
        late("the channel's timeout"));
    ofChannel(
        "timeout(String, Duration)",
        Duration.class,
        zeroOrMore,
        negative,
        (builder, value) -> builder.timeout("test.Service", value),
        late("the channel's timeout"));
    ofChannel(
        "closeTimeout",
        Duration.class,
        List.of(Duration.ZERO, GREATEST),
        negative,
        RpcChannelBuilder::closeTimeout,
        EdgeRows::works);
    for (boolean all : new boolean[] {true, false}) {
      String name = all ? "defaultTimeout" : "timeout";
      row(
          "RpcChannel." + (all ? "setDefaultTimeout(Duration)" : "setTimeout(String, Duration)"),
          name,
          zeroOrMore,
          negative,
          value -> {
            try (RpcServer server = RpcServer.builder().addService(echo()).start();
                RpcChannel channel = to(server).build()) {
              if (all) {
                channel.setDefaultTimeout(value);
              } else {
                channel.setTimeout("test.Service", value);
              }
              late("the channel's " + name).of(value, channel);
            }
          });
    }
    row(
        "RpcChannelBuilder.connectTimeout(Duration)",
        "connectTimeout",
        List.of(NANO, GREATEST),
        List.of(NEGATIVE, Duration.ZERO),
        ChannelEdges::connect);
    row(
        "RpcChannel.awaitTermination(Duration)",
        "timeout",
        List.of(NEGATIVE, Duration.ZERO, GREATEST),
        List.of(),
        value -> {
          try (RpcChannel channel = RpcChannel.builder().address("127.0.0.1", 1).build()) {
            assertThat(value.equals(GREATEST) || !channel.awaitTermination(value))
                .isTrue();
            channel.shutdownNow();
            Await.until("it is closed", () -> channel.awaitTermination(value));
          }
        });
  }

  private static void connect(Duration timeout) throws Exception {
    try (RpcServer server = RpcServer.builder().addService(echo()).start()) {
      RpcChannelBuilder builder = to(server).connectTimeout(timeout);
      if (timeout.equals(GREATEST)) {
        try (RpcChannel channel = builder.connect()) {
          exchange(channel, MORE);
        }
      } else {
        assertThatIOException()
            .isThrownBy(builder::connect)
            .withMessageEndingWith("no answer within connectTimeout " + timeout);
        try (RpcChannel channel = builder.build()) {
          assertThat(text(failure(() -> call(channel))))
              .startsWith("UNAVAILABLE: ")
              .contains("no answer within connectTimeout " + timeout);
        }
      }
    }
  }

  private void values() {
    Duration most = GREATEST;
    for (String setting : List.of("Keepalive(Duration, Duration, boolean)", "Keepalive.")) {
      boolean of = setting.endsWith(".");
      row(
          of ? "Keepalive.time(Duration)" : setting,
          "time",
          List.of(Duration.ofSeconds(10), most),
          List.of(NEGATIVE, Duration.ofSeconds(10).minus(NANO)),
          value -> keptAlive(
              of ? Keepalive.defaults().time(value) : new Keepalive(value, SECOND, true)));
      row(
          of ? "Keepalive.timeout(Duration)" : setting,
          "timeout",
          List.of(Duration.ofMillis(10), most),
          List.of(Duration.ZERO, Duration.ofMillis(10).minus(NANO)),
          value -> keptAlive(
              of ? Keepalive.defaults().timeout(value) : new Keepalive(most, value, true)));
    }
    row(
        "StreamWriter.of(StreamObserver, int)",
        "buffer",
        List.of(1, MAX),
        List.of(0),
        ChannelEdges::buffered);
    for (String setting : List.of("sayHello", "sayHelloAsync")) {
      row(
          "GreeterClient." + setting + "(String, Duration)",
          "timeout",
          List.of(NANO, most),
          List.of(NEGATIVE, Duration.ZERO),
          value -> greet(setting.endsWith("Async"), value));
    }
  }

  private static void keptAlive(Keepalive keepalive) throws Exception {
    try (RpcServer server =
            RpcServer.builder().addService(echo()).keepalive(keepalive).start();
        RpcChannel channel = to(server).keepalive(keepalive).build()) {
      exchange(channel, MORE);
    }
  }

  private static void buffered(int buffer) throws Exception {
    if (buffer < 1) {
      StreamWriter.of(observing(new CompletableFuture<>()), buffer);
    }
    ServerServiceDefinition service = TestService.stream((request, observer) -> {
      StreamWriter<HelloReply> replies = StreamWriter.of(observer, buffer);
      for (int i = 0; i < STREAM; i++) {
        replies.write(reply(request));
      }
      replies.complete();
    });
    try (RpcServer server = RpcServer.builder().addService(service).start();
        RpcChannel channel = to(server).build()) {
      assertThat(RpcTest.stream(channel)).toIterable().hasSize(STREAM).containsOnly(reply(REQUEST));
    }
  }

  private static void greet(boolean async, Duration timeout) throws Exception {
    try (RpcServer server = RpcServer.builder().addService(new GreeterService()).start();
        RpcChannel channel = to(server).build()) {
      GreeterClient client = GreeterClient.of(channel);
      Callable<String> call = () -> async
          ? client.sayHelloAsync("x", timeout).get(20, TimeUnit.SECONDS)
          : client.sayHello("x", timeout);
      if (timeout.equals(NANO)) {
        assertThat(catchThrowable(call::call)).hasStackTraceContaining("DEADLINE_EXCEEDED");
      } else {
        assertThat(call.call()).isEqualTo("Hello, x!");
      }
    }
  }

  private void retries() {
    List<Duration> positive = List.of(NANO, GREATEST);
    List<Duration> none = List.of(NEGATIVE, Duration.ZERO);
    ofRetries(
        "maxAttempts(int)",
        "maxAttempts",
        List.of(2, 100),
        WRONG_ATTEMPTS,
        (quick, value) -> retried(quick.maxAttempts(value), value - 1));
    ofRetries("initialBackoff(Duration)", "initialBackoff", positive, none, (quick, value) -> {
      RetryPolicy.Builder policy = quick.maxBackoff(GREATEST).initialBackoff(value);
      if (value.equals(NANO)) {
        retried(policy, 1);
      } else {
        neverTriedAgain(to -> to.retryPolicy(policy.build()));
      }
    });
    ofRetries(
        "maxBackoff(Duration)",
        "maxBackoff",
        positive,
        none,
        (quick, value) -> retried(quick.maxBackoff(value), 3));
    ofRetries(
        "backoffMultiplier(double)",
        "backoffMultiplier",
        List.of(1.0, 100.0),
        List.of(0.999, 100.001, Double.NaN),
        (quick, value) -> retried(quick.backoffMultiplier(value), 3));
    ofRetries(
        "throttling(int, double)",
        "maxTokens",
        List.of(3, 1000),
        List.of(2, 1001),
        (quick, value) -> retried(quick.throttling(value, 1), 1));
    ofRetries(
        "throttling(int, double)",
        "tokenRatio",
        RATIOS,
        WRONG_RATIOS,
        (quick, value) -> retried(quick.throttling(1000, value), 3));
  }

  private void hedges() {
    ofHedges(
        "maxAttempts(int)",
        "maxAttempts",
        List.of(2, 100),
        WRONG_ATTEMPTS,
        (quick, value) -> hedged(quick.maxAttempts(value), value - 1));
    ofHedges(
        "hedgingDelay(Duration)",
        "hedgingDelay",
        List.of(Duration.ZERO, GREATEST),
        List.of(NEGATIVE),
        (quick, value) -> {
          HedgingPolicy.Builder policy = quick.hedgingDelay(value);
          if (value.isZero()) {
            hedged(policy, 1);
          } else {
            neverTriedAgain(to -> to.hedgingPolicy(policy.build()));
          }
        });
    ofHedges(
        "throttling(int, double)",
        "maxTokens",
        List.of(1, 1000),
        List.of(0, 1001),
        (quick, value) -> hedged(quick.throttling(value, 1), 0));
    ofHedges(
        "throttling(int, double)",
        "tokenRatio",
        RATIOS,
        WRONG_RATIOS,
        (quick, value) -> hedged(quick.throttling(1000, value), 1));
  }

  interface OfPolicy<B, V> {
    void at(B quick, V value) throws Exception;
  }

  private <V> void ofRetries(
      String setting,
      String name,
      List<V> allowed,
      List<V> refused,
      OfPolicy<RetryPolicy.Builder, V> use) {
    row(
        "RetryPolicy.Builder." + setting,
        name,
        allowed,
        refused,
        value -> use.at(
            RetryPolicy.builder()
                .maxAttempts(5)
                .initialBackoff(NANO)
                .maxBackoff(MILLISECOND)
                .throttling(1000, 1),
            value));
  }

  private <V> void ofHedges(
      String setting,
      String name,
      List<V> allowed,
      List<V> refused,
      OfPolicy<HedgingPolicy.Builder, V> use) {
    row(
        "HedgingPolicy.Builder." + setting,
        name,
        allowed,
        refused,
        value ->
            use.at(HedgingPolicy.builder().hedgingDelay(Duration.ZERO).throttling(1000, 1), value));
  }

  private static void retried(RetryPolicy.Builder policy, int failures) throws Exception {
    triedAgain(to -> to.retryPolicy(policy.build()), failures);
  }

  private static void hedged(HedgingPolicy.Builder policy, int failures) throws Exception {
    triedAgain(to -> to.hedgingPolicy(policy.build()), failures);
  }

  /** Of each call the first attempts fail, and the next one succeeds; again and again. */
  private static void triedAgain(UnaryOperator<RpcChannelBuilder> policy, int failures)
      throws Exception {
    AtomicInteger attempts = new AtomicInteger();
    try (RpcServer server = RpcServer.builder()
            .addService(failing(attempt -> attempt % (failures + 1) != 0, attempts))
            .start();
        RpcChannel channel = policy.apply(to(server)).build()) {
      for (int i = 1; i <= (failures > 10 ? 1 : 3); i++) {
        assertThat(call(channel)).isEqualTo(reply(REQUEST));
        assertThat(attempts.get()).isGreaterThanOrEqualTo(i * (failures + 1));
      }
    }
  }

  private static ServerServiceDefinition failing(IntPredicate fails, AtomicInteger attempts) {
    return TestService.unary((request, observer) -> RpcMethod.unary(observer, () -> {
      if (fails.test(attempts.incrementAndGet())) {
        throw Status.UNAVAILABLE.asRuntimeException();
      }
      return reply(request);
    }));
  }

  private static void neverTriedAgain(UnaryOperator<RpcChannelBuilder> policy) throws Exception {
    AtomicInteger attempts = new AtomicInteger();
    try (RpcServer server =
            RpcServer.builder().addService(failing(attempt -> true, attempts)).start();
        RpcChannel channel = policy.apply(to(server)).build()) {
      assertThat(failure(() -> ClientCalls.blockingUnaryCall(
                  channel,
                  TestService.UNARY,
                  CallOptions.DEFAULT.withDeadlineAfter(Duration.ofMillis(300)),
                  REQUEST))
              .getCode())
          .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
      assertThat(attempts.get()).isLessThanOrEqualTo(1);
    }
  }
}
