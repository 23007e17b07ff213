package dev.mullion.rpc;

import static dev.mullion.rpc.RpcTest.REQUEST;
import static dev.mullion.rpc.RpcTest.call;
import static dev.mullion.rpc.RpcTest.failure;
import static dev.mullion.rpc.RpcTest.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.StopReport;
import dev.mullion.rpc.greeter.HelloReply;
import dev.mullion.rpc.greeter.HelloRequest;
import io.grpc.Channel;
import io.grpc.Status;
import java.io.OutputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.stream.Stream;

/** The settings of servers. */
final class ServerEdges extends EdgeRows {
  ServerEdges() {
    limitsOfServers();
    timesOfServers();
    timesOfPeersAndThreads();
    ports();
    tls();
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
      try (RpcServer server = set.apply(builder, value).start()) {
        try (RpcChannel channel = to(server).build()) {
          expected.of(value, channel);
        }
        Await.until("clients are gone", () -> server.counters().connectionsOpen() == 0);
        if (name.equals("shutdownDelay")) {
          server.stop(Duration.ZERO);
        }
      }
    });
  }

  private void limitsOfServers() {
    List<Integer> least = List.of(1, MAX);
    ofServer(
        "maxInboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxInboundMessageSize,
        EdgeRows::emptyIfLeast);
    ofServer(
        "maxOutboundMessageSize",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxOutboundMessageSize,
        EdgeRows::emptyIfLeast);
    ofServer(
        "maxInboundMetadataSize",
        Integer.class,
        List.of(512, MAX),
        List.of(511),
        RpcServerBuilder::maxInboundMetadataSize,
        EdgeRows::works);
    ofServer(
        "maxCalls", Integer.class, least, List.of(0), RpcServerBuilder::maxCalls, EdgeRows::works);
    ofServer(
        "maxCallsPerConnection",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxCallsPerConnection,
        EdgeRows::manyAtOnce);
    ofServer(
        "maxConnections",
        Integer.class,
        least,
        List.of(0),
        RpcServerBuilder::maxConnections,
        EdgeRows::works);
    // The second is less than what a stream of this test replies with in all.
    ofServer(
        "maxPendingReplyBytes",
        Long.class,
        List.of(1L, 5000L, Long.MAX_VALUE),
        List.of(0L),
        RpcServerBuilder::maxPendingReplyBytes,
        EdgeRows::works);
    ofServer(
        "maxHandlerThreads",
        Integer.class,
        List.of(1, 1_000_000),
        List.of(0, 1_000_001),
        RpcServerBuilder::maxHandlerThreads,
        EdgeRows::manyAtOnce);
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
        ServerEdges::age);
    ofServer(
        "maxConnectionAgeGrace",
        Duration.class,
        List.of(Duration.ZERO, GREATEST),
        negative,
        (builder, value) -> builder.maxConnectionAge(SECOND).maxConnectionAgeGrace(value),
        ServerEdges::cutAfterGrace);
    row(
        "RpcServerBuilder.maxConnectionIdle(Duration)",
        "maxConnectionIdle",
        zeroOrSecond,
        noSecond,
        ServerEdges::idle);
    ofServer(
        "closeTimeout",
        Duration.class,
        List.of(Duration.ZERO, GREATEST),
        negative,
        RpcServerBuilder::closeTimeout,
        EdgeRows::works);
    ofServer(
        "shutdownDelay",
        Duration.class,
        List.of(Duration.ZERO, GREATEST.minus(NANO)),
        negative,
        (builder, value) -> builder.closeTimeout(GREATEST).shutdownDelay(value),
        EdgeRows::works);
  }

  private void timesOfPeersAndThreads() {
    List<Duration> negative = List.of(NEGATIVE);
    row(
        "RpcServerBuilder.handshakeTimeout(Duration)",
        "handshakeTimeout",
        List.of(MILLISECOND, GREATEST),
        List.of(NEGATIVE, Duration.ZERO, MILLISECOND.minus(NANO)),
        ServerEdges::handshake);
    row(
        "RpcServerBuilder.handlerThreadTimeout(Duration)",
        "handlerThreadTimeout",
        List.of(Duration.ZERO, MILLISECOND, GREATEST),
        List.of(NEGATIVE, NANO, MILLISECOND.minus(NANO)),
        ServerEdges::threadIsTaken);
    row(
        "RpcServer.stop(Duration)",
        "timeout",
        List.of(Duration.ZERO, NANO, GREATEST),
        negative,
        ServerEdges::stop);
    row(
        "RpcServer.awaitTermination(Duration)",
        "timeout",
        List.of(NEGATIVE, Duration.ZERO, GREATEST),
        List.of(),
        value -> {
          try (RpcServer server = RpcServer.builder().addService(echo()).start()) {
            boolean running = value.equals(GREATEST) || !server.awaitTermination(value);
            server.stop(SECOND);
            assertThat(running).isTrue();
            assertThat(server.awaitTermination(value)).isTrue();
          }
        });
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
      silentPeerIsClosed(server);
    }
  }

  private static void silentPeerIsClosed(RpcServer server) throws Exception {
    try (Socket silent = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
      silent.setSoTimeout(20_000);
      silent.getInputStream().transferTo(OutputStream.nullOutputStream());
    }
    Await.until("it is counted", () -> server.counters().connectionsTimedOut() == 1);
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
            .handlerThreadTimeout(timeout)
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
            .withMessageContaining("no thread was free within handlerThreadTimeout " + timeout);
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
        "Tls.handshakeTimeout(Duration)",
        "handshakeTimeout",
        List.of(NANO, GREATEST),
        List.of(NEGATIVE, Duration.ZERO),
        ServerEdges::tlsHandshake);
    row(
        "Tls.reloadInterval(Duration)",
        "reloadInterval",
        List.of(Duration.ZERO, NANO, GREATEST),
        List.of(NEGATIVE),
        ServerEdges::reloads);
  }

  private interface WithCertificates {
    void use(Certificates certificates) throws Exception;
  }

  private static void certified(WithCertificates use) throws Exception {
    Path directory = Files.createTempDirectory("mullion-edges");
    try {
      use.use(Certificates.in(directory));
    } finally {
      try (Stream<Path> files = Files.list(directory)) {
        for (Path each : files.toList()) {
          Files.delete(each);
        }
      }
      Files.delete(directory);
    }
  }

  private static void tlsHandshake(Duration value) throws Exception {
    certified(certificates -> {
      try (RpcServer server = RpcServer.builder()
              .addService(echo())
              .tls(certificates.server().handshakeTimeout(value))
              .start();
          RpcChannel channel =
              to(server).tls(certificates.client().handshakeTimeout(value)).build()) {
        if (value.equals(GREATEST)) {
          exchange(channel, MORE);
          return;
        }
        silentPeerIsClosed(server);
      }
    });
  }

  private static void reloads(Duration value) throws Exception {
    certified(certificates -> {
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
      }
    });
  }
}
