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
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.OutputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/** The table of all settings that are numbers or times, with their edges and what works at them. */
final class SettingsEdges {
  static final Duration NANO = Duration.ofNanos(1);
  static final Duration GREATEST = ChronoUnit.FOREVER.getDuration();
  private static final Duration NEGATIVE = NANO.negated();
  private static final int MAX = Integer.MAX_VALUE;
  private static final Duration SECOND = Duration.ofSeconds(1);
  static final String MORE = "x".repeat(1000);
  private static final int STREAM = 20;
  private static final Duration MILLISECOND = Duration.ofMillis(1);

  /** What is done with a value that is allowed; with another one it throws. */
  interface Use<V> {
    void at(V value) throws Exception;
  }

  /**
   * One number of a setting.
   *
   * @param name its name in texts
   */
  record Row<V>(String setting, String name, Use<V> use, List<V> allowed, List<V> refused) {
    @Override
    public String toString() {
      return setting + " " + name;
    }
  }

  private final List<Row<?>> rows = new ArrayList<>();

  private SettingsEdges() {}

  static List<Row<?>> all() {
    SettingsEdges edges = new SettingsEdges();
    edges.limitsOfServers();
    edges.timesOfServers();
    edges.ports();
    edges.tls();
    edges.channel();
    edges.values();
    edges.attempts();
    return edges.rows;
  }

  private <V> void row(String setting, String name, List<V> allowed, List<V> refused, Use<V> use) {
    rows.add(new Row<>(setting, name, use, allowed, refused));
  }

  private <V> void ofServer(
      String setting,
      Class<V> type,
      List<V> allowed,
      List<V> refused,
      BiFunction<RpcServerBuilder, V, RpcServerBuilder> set,
      Expected<V> expected) {
    String name = setting.replaceFirst("\\(.*", "");
    row("RpcServerBuilder." + parameters(setting, type), name, allowed, refused, value -> {
      RpcServerBuilder builder = RpcServer.builder().addService(echo());
      try (RpcServer server = set.apply(builder, value).start();
          RpcChannel channel = to(server).build()) {
        expected.of(value, channel);
        channel.close();
        Await.until("clients are gone", () -> server.counters().connectionsOpen() == 0);
        if (name.equals("shutdownDelay")) {
          server.stop(Duration.ZERO);
        }
      }
    });
  }

  private static String parameters(String setting, Class<?> type) {
    String only = type == Integer.class ? "int" : type == Long.class ? "long" : "Duration";
    return setting.endsWith(")") ? setting : setting + "(" + only + ")";
  }

  interface Expected<V> {
    void of(V value, RpcChannel channel) throws Exception;
  }

  static RpcChannelBuilder to(RpcServer server) {
    return RpcChannel.builder().address("127.0.0.1", server.port());
  }

  /** A service of three kinds of methods, which reply with what they are sent. */
  static ServerServiceDefinition echo() {
    return ServerServiceDefinition.builder(ServiceDescriptor.newBuilder("test.Service")
            .addMethod(TestService.UNARY)
            .addMethod(TestService.STREAM)
            .addMethod(TestService.BIDI)
            .build())
        .addMethod(
            TestService.UNARY,
            ServerCalls.asyncUnaryCall(
                (request, observer) -> RpcMethod.unary(observer, () -> reply(request))))
        .addMethod(
            TestService.STREAM,
            ServerCalls.asyncServerStreamingCall((request, observer) ->
                RpcMethod.serverStreaming(observer, replies -> {
                  for (int i = 0; i < STREAM; i++) {
                    replies.write(reply(request));
                  }
                })))
        .addMethod(
            TestService.BIDI,
            ServerCalls.asyncBidiStreamingCall(observer ->
                RpcMethod.bidiStreaming(observer, (requests, replies) -> {
                  for (HelloRequest each : requests) {
                    replies.write(reply(each));
                  }
                })))
        .build();
  }

  private static HelloReply reply(HelloRequest request) {
    return HelloReply.newBuilder().setMessage(request.getName()).build();
  }

  private static HelloRequest request(String name) {
    return HelloRequest.newBuilder().setName(name).build();
  }

  /** Calls of each kind, one after the other. */
  static <V> void works(V value, Channel channel) throws Exception {
    exchange(channel, MORE);
  }

  static void exchange(Channel channel, String text) {
    HelloRequest request = request(text);
    for (int i = 0; i < 5; i++) {
      assertThat(call(channel, TestService.UNARY, request)).isEqualTo(reply(request));
    }
    Iterator<HelloReply> replies = ClientCalls.blockingServerStreamingCall(
        channel, TestService.STREAM, CallOptions.DEFAULT, request);
    assertThat(replies).toIterable().hasSize(STREAM).containsOnly(reply(request));
    try (ClientStream<HelloRequest, HelloReply> chat = chat(channel)) {
      Iterator<HelloReply> answers = chat.replies().iterator();
      for (int i = 0; i < STREAM; i++) {
        chat.requests().write(request);
        assertThat(answers.next()).isEqualTo(reply(request));
      }
      chat.requests().complete();
      assertThat(answers.hasNext()).isFalse();
    }
  }

  private static <V> void emptyIfLeast(V value, Channel channel) {
    if (!value.equals(1)) {
      exchange(channel, MORE);
      return;
    }
    exchange(channel, "");
    // No message of Protobuf has one byte.
    assertThat(text(failure(() -> call(channel, TestService.UNARY, REQUEST))))
        .matches("RESOURCE_EXHAUSTED: (in|out)bound message of (more than )?[1-3] bytes exceeds"
            + " max(In|Out)boundMessageSize 1");
  }

  private static Expected<Duration> late(String text) {
    return (value, channel) -> {
      if (value.equals(NANO)) {
        assertThat(text(failure(() -> call(channel))))
            .startsWith("DEADLINE_EXCEEDED: call took longer than " + text + " " + NANO);
      } else {
        exchange(channel, MORE);
      }
    };
  }

  private void limitsOfServers() {
    List<Integer> least = List.of(1, MAX);
    ofServer(
        "maxInboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxInboundMessageSize,
        SettingsEdges::emptyIfLeast);
    ofServer(
        "maxOutboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxOutboundMessageSize,
        SettingsEdges::emptyIfLeast);
    ofServer(
        "maxInboundMetadataSize",
        Integer.class,
        List.of(512, MAX),
        List.of(511),
        RpcServerBuilder::maxInboundMetadataSize,
        SettingsEdges::works);
    ofServer(
        "maxCalls",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxCalls,
        SettingsEdges::works);
    ofServer(
        "maxCallsPerConnection",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxCallsPerConnection,
        SettingsEdges::manyAtOnce);
    ofServer(
        "maxConnections",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxConnections,
        SettingsEdges::works);
    // The second is less than what a stream of this test replies with in all.
    ofServer(
        "maxPendingReplyBytes",
        Long.class,
        List.of(1L, 5000L, Long.MAX_VALUE),
        List.of(0L),
        RpcServerBuilder::maxPendingReplyBytes,
        SettingsEdges::works);
    ofServer(
        "maxThreads",
        Integer.class,
        List.of(1, 1_000_000),
        List.of(0, 1_000_001),
        RpcServerBuilder::maxThreads,
        SettingsEdges::manyAtOnce);
    for (boolean window : new boolean[] {false, true}) {
      row(
          "RpcServerBuilder.maxResets(int, Duration)",
          window ? "window" : "maxResets",
          window ? List.of(SECOND, Duration.ofDays(1)) : List.of(1, MAX),
          window
              ? List.of(
                  Duration.ZERO, SECOND.minus(NANO), Duration.ofDays(1).plus(SECOND), GREATEST)
              : List.of(0),
          value -> resets(
              value instanceof Integer max ? max : 1,
              value instanceof Duration duration ? duration : Duration.ofDays(1)));
    }
  }

  /** More calls than may be open wait for their turn, in the client or for a thread. */
  private static <V> void manyAtOnce(V value, Channel channel) throws Exception {
    exchange(channel, MORE);
    List<CompletableFuture<String>> replies = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      replies.add(unaryAsync(channel, "x" + i));
    }
    for (int i = 0; i < replies.size(); i++) {
      assertThat(replies.get(i).get(20, TimeUnit.SECONDS)).isEqualTo("x" + i);
    }
  }

  private static CompletableFuture<String> unaryAsync(Channel channel, String text) {
    CompletableFuture<String> reply = new CompletableFuture<>();
    ClientCalls.asyncUnaryCall(
        channel.newCall(TestService.UNARY, CallOptions.DEFAULT), request(text), observing(reply));
    return reply;
  }

  private static StreamObserver<HelloReply> observing(CompletableFuture<String> reply) {
    return new StreamObserver<>() {
      @Override
      public void onNext(HelloReply value) {
        reply.complete(value.getMessage());
      }

      @Override
      public void onError(Throwable error) {
        reply.completeExceptionally(error);
      }

      @Override
      public void onCompleted() {}
    };
  }

  /** One reset is allowed, and of more only the greatest number. */
  private static void resets(int max, Duration window) throws Exception {
    try (RpcServer server =
            RpcServer.builder().addService(echo()).maxResets(max, window).start();
        RpcChannel channel = to(server).build()) {
      reset(channel, server);
      exchange(channel, MORE);
      assertThat(server.counters().connectionsOpened()).isEqualTo(1);
      if (window.equals(SECOND)) {
        return;
      }
      reset(channel, server);
      if (max == 1) {
        Await.until("it ends", () -> server.counters().connectionsEndedForResets() == 1);
        Await.until("there is a new one", () -> failure(() -> call(channel)).isOk());
      }
      exchange(channel, MORE);
      assertThat(server.counters().connectionsOpened()).isEqualTo(max == 1 ? 2 : 1);
    }
  }

  private static void reset(Channel channel, RpcServer server) throws Exception {
    long ended = server.counters().callsFailed();
    try (ClientStream<HelloRequest, HelloReply> chat = chat(channel)) {
      chat.requests().write(REQUEST);
      assertThat(chat.replies().iterator().hasNext()).isTrue();
    }
    Await.until("it is cancelled", () -> server.counters().callsFailed() > ended);
  }

  private void timesOfServers() {
    List<Duration> negative = List.of(NEGATIVE);
    List<Duration> zeroOrMore = List.of(Duration.ZERO, NANO, GREATEST);
    List<Duration> zeroOrSecond = List.of(Duration.ZERO, SECOND, GREATEST);
    List<Duration> noSecond = List.of(NEGATIVE, NANO, SECOND.minus(NANO));
    ofServer(
        "defaultTimeout",
        Duration.class,
        zeroOrMore,
        negative,
        RpcServerBuilder::defaultTimeout,
        late("defaultTimeout"));
    ofServer(
        "maxTimeout",
        Duration.class,
        zeroOrMore,
        negative,
        RpcServerBuilder::maxTimeout,
        late("maxTimeout"));
    ofServer(
        "timeout(MethodDescriptor, Duration)",
        Duration.class,
        zeroOrMore,
        negative,
        (builder, value) -> builder.timeout(TestService.UNARY, value),
        late("its timeout"));
    ofServer(
        "timeout(String, Duration)",
        Duration.class,
        zeroOrMore,
        negative,
        (builder, value) -> builder.timeout("test.Service", value),
        late("its timeout"));
    row(
        "RpcServerBuilder.maxConnectionAge(Duration)",
        "maxConnectionAge",
        zeroOrSecond,
        noSecond,
        SettingsEdges::age);
    ofServer(
        "maxConnectionAgeGrace",
        Duration.class,
        List.of(Duration.ZERO, GREATEST),
        negative,
        (builder, value) -> builder.maxConnectionAge(SECOND).maxConnectionAgeGrace(value),
        SettingsEdges::cutAfterGrace);
    row(
        "RpcServerBuilder.maxConnectionIdle(Duration)",
        "maxConnectionIdle",
        zeroOrSecond,
        noSecond,
        SettingsEdges::idle);
    ofServer(
        "closeTimeout",
        Duration.class,
        List.of(Duration.ZERO, GREATEST),
        negative,
        RpcServerBuilder::closeTimeout,
        SettingsEdges::works);
    ofServer(
        "shutdownDelay",
        Duration.class,
        List.of(Duration.ZERO, GREATEST.minus(NANO)),
        negative,
        (builder, value) -> builder.closeTimeout(GREATEST).shutdownDelay(value),
        SettingsEdges::works);
    row(
        "RpcServerBuilder.handshakeTimeout(Duration)",
        "handshakeTimeout",
        List.of(MILLISECOND, GREATEST),
        List.of(NEGATIVE, Duration.ZERO, MILLISECOND.minus(NANO)),
        SettingsEdges::handshake);
    row(
        "RpcServerBuilder.threadTimeout(Duration)",
        "threadTimeout",
        List.of(Duration.ZERO, MILLISECOND, GREATEST),
        List.of(NEGATIVE, NANO, MILLISECOND.minus(NANO)),
        SettingsEdges::threadIsTaken);
    row(
        "RpcServer.stop(Duration)",
        "timeout",
        List.of(Duration.ZERO, NANO, GREATEST),
        negative,
        SettingsEdges::stop);
    row(
        "RpcServer.awaitTermination(Duration)",
        "timeout",
        List.of(NEGATIVE, Duration.ZERO, GREATEST),
        List.of(),
        value -> {
          try (RpcServer server = RpcServer.builder().addService(echo()).start()) {
            boolean running = value.equals(GREATEST) || !server.awaitTermination(value);
            server.close();
            assertThat(running).isTrue();
            assertThat(server.awaitTermination(value)).isTrue();
          }
        });
  }

  private static ClientStream<HelloRequest, HelloReply> chat(Channel channel) {
    return ClientStream.open(came -> ClientCalls.asyncBidiStreamingCall(
        channel.newCall(TestService.BIDI, CallOptions.DEFAULT), came));
  }

  /** No call fails while one connection takes the place of another. */
  private static void age(Duration age) throws Exception {
    try (RpcServer server =
            RpcServer.builder().addService(echo()).maxConnectionAge(age).start();
        RpcChannel channel = to(server).build()) {
      exchange(channel, MORE);
      if (age.equals(SECOND)) {
        Await.until("there is a new connection", () -> {
          assertThat(call(channel)).isEqualTo(reply(REQUEST));
          return server.counters().connectionsOpened() > 1;
        });
      }
    }
  }

  private static void idle(Duration idle) throws Exception {
    try (RpcServer server =
            RpcServer.builder().addService(echo()).maxConnectionIdle(idle).start();
        RpcChannel channel = to(server).build()) {
      exchange(channel, MORE);
      if (idle.equals(SECOND)) {
        Await.until("it is closed", () -> server.counters().connectionsOpen() == 0);
        exchange(channel, MORE);
      }
    }
  }

  /** Its connection is at its end after a second. */
  private static void cutAfterGrace(Duration grace, Channel channel) {
    if (grace.equals(GREATEST)) {
      exchange(channel, MORE);
      return;
    }
    try (ClientStream<HelloRequest, HelloReply> chat = chat(channel)) {
      chat.requests().write(REQUEST);
      Iterator<HelloReply> replies = chat.replies().iterator();
      assertThat(replies.next()).isEqualTo(reply(REQUEST));
      assertThat(failure(replies::hasNext).getCode()).isEqualTo(Status.Code.UNAVAILABLE);
      exchange(channel, MORE);
    }
  }

  private static void handshake(Duration timeout) throws Exception {
    try (RpcServer server =
        RpcServer.builder().addService(echo()).handshakeTimeout(timeout).start()) {
      if (timeout.equals(GREATEST)) {
        try (RpcChannel channel = to(server).build()) {
          exchange(channel, MORE);
        }
        return;
      }
      try (Socket silent = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
        silent.setSoTimeout(20_000);
        silent.getInputStream().transferTo(OutputStream.nullOutputStream());
      }
      Await.until("it is counted", () -> server.counters().connectionsTimedOut() == 1);
    }
  }

  /** The only thread is free, then taken, and free again. */
  private static void threadIsTaken(Duration timeout) throws Exception {
    CountDownLatch taken = new CountDownLatch(1);
    CountDownLatch released = new CountDownLatch(1);
    ThreadPoolExecutor one =
        new ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
    try (RpcServer server = RpcServer.builder()
            .addService(echo())
            .executor(one)
            .threadTimeout(timeout)
            .start();
        RpcChannel channel = to(server).build()) {
      one.execute(() -> {
        taken.countDown();
        await(released);
      });
      taken.await();
      CompletableFuture<String> waiting = unaryAsync(channel, "x");
      if (timeout.equals(MILLISECOND)) {
        assertThat(waiting)
            .failsWithin(Duration.ofSeconds(20))
            .withThrowableOfType(ExecutionException.class)
            .withMessageContaining("no thread was free within threadTimeout " + timeout);
      } else {
        Await.until("it waits", () -> server.counters().callsWaiting() == 1);
      }
      released.countDown();
      if (!timeout.equals(MILLISECOND)) {
        assertThat(waiting.get(20, TimeUnit.SECONDS)).isEqualTo("x");
      }
      Await.until("calls go through", () -> failure(() -> call(channel)).isOk());
    } finally {
      released.countDown();
      one.shutdownNow();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** With a call that ends only when it is cut, unless there is time without end. */
  private static void stop(Duration timeout) throws Exception {
    try (RpcServer server = RpcServer.builder().addService(echo()).start();
        RpcChannel channel = to(server).build();
        ClientStream<HelloRequest, HelloReply> chat = chat(channel)) {
      chat.requests().write(REQUEST);
      Iterator<HelloReply> replies = chat.replies().iterator();
      assertThat(replies.next()).isEqualTo(reply(REQUEST));
      boolean inTime = timeout.equals(GREATEST);
      if (inTime) {
        chat.requests().complete();
        assertThat(replies.hasNext()).isFalse();
      }
      StopReport report = server.stop(timeout);
      assertThat(report.cut()).isEqualTo(inTime ? 0 : 1);
      assertThat(server.isTerminated()).isTrue();
    }
  }

  private void ports() {
    for (String setting : List.of("port(int)", "address(String, int)")) {
      row("RpcServerBuilder." + setting, "port", List.of(0, 65535), List.of(-1, 65536), port -> {
        RpcServerBuilder builder = RpcServer.builder().addService(echo());
        try (RpcServer server = (setting.startsWith("port")
                    ? builder.port(port)
                    : builder.address("127.0.0.1", port))
                .start();
            RpcChannel channel = to(server).build()) {
          exchange(channel, MORE);
        } catch (BindException taken) {
          assertThat(port).isEqualTo(65535);
          assertThat(taken).hasMessageContaining(":65535: ");
        }
      });
    }
    row(
        "RpcChannelBuilder.address(String, int)",
        "port",
        List.of(1, 65535),
        List.of(0, 65536),
        port -> {
          try (RpcChannel channel =
              RpcChannel.builder().address("127.0.0.1", port).build()) {
            // Somebody else may listen there.
            assertThat(text(failure(() -> call(channel)))).containsAnyOf("127.0.0.1:" + port, "UN");
          }
        });
  }

  private void tls() {
    row(
        "Tls.reloadInterval(Duration)",
        "reloadInterval",
        List.of(Duration.ZERO, NANO, GREATEST),
        List.of(NEGATIVE),
        value -> {
          Path directory = Files.createTempDirectory("mullion-edges");
          TestCertificates certificates = TestCertificates.in(directory);
          try (RpcServer server = RpcServer.builder()
                  .addService(echo())
                  .tls(certificates.server().reloadInterval(value))
                  .start();
              RpcChannel channel =
                  to(server).tls(certificates.client().reloadInterval(value)).build()) {
            exchange(channel, MORE);
            certificates.renewServer();
            if (value.equals(NANO)) {
              Await.until("it is read", () -> server.tlsState().reloads() > 0);
            }
            exchange(channel, MORE);
          } finally {
            try (Stream<Path> files = Files.list(directory)) {
              for (Path each : files.toList()) {
                Files.delete(each);
              }
            }
            Files.delete(directory);
          }
        });
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

  private void channel() {
    List<Duration> negative = List.of(NEGATIVE);
    List<Duration> zeroOrMore = List.of(Duration.ZERO, NANO, GREATEST);
    List<Integer> least = List.of(1, MAX);
    ofChannel(
        "maxInboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcChannelBuilder::maxInboundMessageSize,
        SettingsEdges::emptyIfLeast);
    ofChannel(
        "maxOutboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcChannelBuilder::maxOutboundMessageSize,
        SettingsEdges::emptyIfLeast);
    ofChannel(
        "maxInboundMetadataSize",
        Integer.class,
        List.of(512, MAX),
        List.of(511),
        RpcChannelBuilder::maxInboundMetadataSize,
        SettingsEdges::works);
    ofChannel(
        "perRpcBufferLimit",
        Integer.class,
        least,
        List.of(0),
        (builder, value) -> builder
            .perRpcBufferLimit(value)
            .retryBufferSize(MAX)
            .retryPolicy(RetryPolicy.defaults()),
        SettingsEdges::works);
    ofChannel(
        "retryBufferSize",
        Integer.class,
        least,
        List.of(0),
        (builder, value) ->
            builder.perRpcBufferLimit(1).retryBufferSize(value).retryPolicy(RetryPolicy.defaults()),
        SettingsEdges::works);
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
        SettingsEdges::works);
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
        SettingsEdges::connect);
    row(
        "RpcChannel.awaitTermination(Duration)",
        "timeout",
        List.of(NEGATIVE, Duration.ZERO, GREATEST),
        List.of(),
        value -> {
          try (RpcChannel channel = RpcChannel.builder().address("127.0.0.1", 1).build()) {
            assertThat(value.equals(GREATEST) || !channel.awaitTermination(value))
                .isTrue();
            channel.close();
            assertThat(channel.awaitTermination(value)).isTrue();
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
        SettingsEdges::buffered);
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

  private void attempts() {
    List<Duration> positive = List.of(NANO, GREATEST);
    List<Duration> none = List.of(NEGATIVE, Duration.ZERO);
    List<Integer> wrong = List.of(1, 101);
    ofRetries(
        "maxAttempts(int)",
        "maxAttempts",
        List.of(2, 100),
        wrong,
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
    List<Double> ratios = List.of(0.001, 1000.0);
    List<Double> wrongRatios = List.of(0.0, 0.0009, 1000.001, Double.NaN, Double.POSITIVE_INFINITY);
    ofRetries(
        "throttling(int, double)",
        "tokenRatio",
        ratios,
        wrongRatios,
        (quick, value) -> retried(quick.throttling(1000, value), 3));
    ofHedges(
        "maxAttempts(int)",
        "maxAttempts",
        List.of(2, 100),
        wrong,
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
        ratios,
        wrongRatios,
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
