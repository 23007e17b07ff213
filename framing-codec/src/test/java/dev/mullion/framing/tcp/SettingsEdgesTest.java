package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameDecoder;
import dev.mullion.framing.FrameEncoder;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.framing.testing.Threads;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Each setting that is a number or a time works at its least and at its greatest value. */
@Timeout(60)
class SettingsEdgesTest {
  private static final Duration LEAST = Duration.ofNanos(1);
  private static final Duration GREATEST = ChronoUnit.FOREVER.getDuration();
  private static final int MAX = Integer.MAX_VALUE;
  private static final FrameFormat SHORT =
      FrameFormat.builder().maxFrameLength(64 * 1024).build();

  @TempDir
  static Path folder;

  /** What is set on a server or client; it is what both have in common. */
  private interface Setting {
    <B extends ConnectionBuilder<B>> B set(B builder);
  }

  private record Named(String name, Setting setting) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static List<Named> common() {
    List<Named> all = new ArrayList<>();
    all.add(new Named("idleTimeout least", new Setting() {
      @Override
      public <B extends ConnectionBuilder<B>> B set(B b) {
        return b.idleTimeout(Duration.ZERO).stallTimeout(Duration.ZERO).frameTimeout(Duration.ZERO);
      }
    }));
    all.add(new Named("timeouts greatest", new Setting() {
      @Override
      public <B extends ConnectionBuilder<B>> B set(B b) {
        return b.idleTimeout(GREATEST)
            .stallTimeout(GREATEST)
            .frameTimeout(GREATEST)
            .closeTimeout(GREATEST);
      }
    }));
    all.add(new Named("inboundHighWaterMark 1", new Setting() {
      @Override
      public <B extends ConnectionBuilder<B>> B set(B b) {
        return b.inboundHighWaterMark(1);
      }
    }));
    all.add(new Named("marks greatest", new Setting() {
      @Override
      public <B extends ConnectionBuilder<B>> B set(B b) {
        return b.inboundHighWaterMark(MAX).outboundLowWaterMark(MAX).outboundHighWaterMark(MAX);
      }
    }));
    for (int[] marks : new int[][] {
      {0, 1}, {1, 1}, {0, 2}, {0, 65536}, {95, 96}, {96, 96}, {97, 97}, {65536, 65536}, {0, MAX}
    }) {
      all.add(new Named("outbound marks " + marks[0] + ", " + marks[1], new Setting() {
        @Override
        public <B extends ConnectionBuilder<B>> B set(B b) {
          return b.outboundLowWaterMark(marks[0]).outboundHighWaterMark(marks[1]);
        }
      }));
    }
    all.add(new Named("memoryBudget least", new Setting() {
      @Override
      public <B extends ConnectionBuilder<B>> B set(B b) {
        return b.format(SHORT).memoryBudget(64 * 1024);
      }
    }));
    all.add(new Named("memoryBudget greatest", new Setting() {
      @Override
      public <B extends ConnectionBuilder<B>> B set(B b) {
        return b.format(SHORT).memoryBudget(Long.MAX_VALUE);
      }
    }));
    return all;
  }

  static Stream<Arguments> commonSettingsOfEachWay() {
    return common().stream()
        .flatMap(named -> Stream.of(Way.values()).map(way -> Arguments.of(named, way)));
  }

  /** A low mark of 0 and a high one of 1 stopped a connection for ever. */
  @ParameterizedTest
  @MethodSource("commonSettingsOfEachWay")
  void framesAreEchoed(Named named, Way way) throws Exception {
    try (FramedServer server = named.setting.set(way.echo()).start();
        FramedClient client =
            named.setting.set(FramedClient.builder().port(server.port())).connect()) {
      List<CompletableFuture<Void>> sent = new ArrayList<>();
      FramedConnection connection = client.connection();
      int[] lengths = {0, 1, 100, 60_000, 3, 65_000, 0, 20_000};
      for (int length : lengths) {
        byte[] frame = EchoServers.random(length, length);
        // With small marks only one may wait.
        CompletableFuture<Void> each = connection.sendAsync(frame);
        sent.add(each);
        assertThat(connection.receive(Duration.ofSeconds(20))).isEqualTo(frame);
      }
      for (CompletableFuture<Void> each : sent) {
        each.get(20, TimeUnit.SECONDS);
      }
      // More than its queue takes, while nothing is received.
      CompletableFuture<Void> many = Threads.run(() -> {
        try {
          for (int i = 0; i < 200; i++) {
            connection.send(EchoServers.random(10_000, i));
          }
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      for (int i = 0; i < 200; i++) {
        assertThat(connection.receive(Duration.ofSeconds(20)))
            .isEqualTo(EchoServers.random(10_000, i));
      }
      many.get(20, TimeUnit.SECONDS);
      connection.closeWhenSent();
      Await.until("it is closed", () -> server.counters().connectionsOpen() == 0);
    }
  }

  static Stream<Arguments> serverSettings() {
    return Stream.of(
        server("maxConnections 1", b -> b.maxConnections(1)),
        server("maxConnections greatest", b -> b.maxConnections(MAX)),
        server("eventLoopThreads 1", b -> b.eventLoopThreads(1)),
        server("eventLoopThreads 1024", b -> b.eventLoopThreads(1024)),
        server("maxHandlerThreads 1", b -> b.maxHandlerThreads(1)),
        server("maxHandlerThreads greatest", b -> b.maxHandlerThreads(1_000_000)),
        server("closeTimeout 0", b -> b.closeTimeout(Duration.ZERO)),
        server("closeTimeout least", b -> b.closeTimeout(LEAST)),
        server("handlerThreadTimeout none", b -> b.handlerThreadTimeout(Duration.ZERO)),
        server("handlerThreadTimeout greatest", b -> b.handlerThreadTimeout(GREATEST)),
        server("slowHandlerLimit 0", b -> b.slowHandlerLimit(Duration.ZERO)),
        server("slowHandlerLimit least", b -> b.slowHandlerLimit(LEAST)),
        server("slowHandlerLimit greatest", b -> b.slowHandlerLimit(GREATEST)));
  }

  private static Arguments server(String name, UnaryOperator<FramedServerBuilder> setting) {
    return Arguments.of(name, setting);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("serverSettings")
  void serverEchoes(String name, UnaryOperator<FramedServerBuilder> setting) throws Exception {
    for (Way way : Way.values()) {
      try (FramedServer server = setting.apply(way.echo()).start();
          EchoPeer peer = EchoPeer.of(server)) {
        peer.echo((byte) 1).echo(EchoServers.random(10_000, 1));
      } catch (IOException e) {
        // More event loops than the machine has descriptors for are refused in words.
        assertThat(e).hasMessageStartingWith("eventLoopThreads: 1024 cannot be started: ");
      }
    }
  }

  static Stream<Arguments> clientSettings() {
    return Stream.of(
        client("connectTimeout greatest", b -> b.connectTimeout(GREATEST)),
        client("closeTimeout 0", b -> b.closeTimeout(Duration.ZERO)),
        client("closeTimeout least", b -> b.closeTimeout(LEAST)),
        client("requestTimeout greatest", b -> b.requestTimeout(GREATEST)),
        client("maxRequestsInFlight 1", b -> b.maxRequestsInFlight(1)),
        client("maxRequestsInFlight greatest", b -> b.maxRequestsInFlight(MAX)),
        client("slowHandlerLimit least", b -> b.slowHandlerLimit(LEAST)),
        client("slowHandlerLimit greatest", b -> b.slowHandlerLimit(GREATEST)),
        client(
            "reconnect least",
            b -> b.reconnect(Reconnect.builder()
                .firstDelay(LEAST)
                .maxDelay(LEAST)
                .multiplier(1)
                .jitter(0)
                .maxAttempts(1)
                .resetAfter(LEAST)
                .build())),
        client(
            "reconnect greatest",
            b -> b.reconnect(Reconnect.builder()
                .firstDelay(GREATEST)
                .maxDelay(GREATEST)
                .multiplier(Double.MAX_VALUE)
                .jitter(1)
                .maxAttempts(MAX)
                .resetAfter(GREATEST)
                .build())));
  }

  private static Arguments client(String name, UnaryOperator<FramedClientBuilder> setting) {
    return Arguments.of(name, setting);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("clientSettings")
  void clientGetsReplies(String name, UnaryOperator<FramedClientBuilder> setting) throws Exception {
    try (FramedServer server = Way.BATCH.echo().start();
        FramedClient client =
            setting.apply(FramedClient.builder().port(server.port())).connect()) {
      for (int i = 0; i < 10; i++) {
        byte[] frame = EchoServers.random(100 * i, i);
        assertThat(client.request(frame).get(20, TimeUnit.SECONDS)).isEqualTo(frame);
      }
    }
  }

  @Test
  void leastConnectTimeoutIsRefusedInWordsOrEnough() throws Exception {
    try (FramedServer server = Way.BATCH.echo().start()) {
      FramedClientBuilder builder =
          FramedClient.builder().port(server.port()).connectTimeout(LEAST);
      try (FramedClient client = builder.connect()) {
        assertThat(client.isConnected()).isTrue();
      } catch (ConnectException late) {
        assertThat(late).hasMessageContaining("(connectTimeout)");
      }
    }
  }

  @Test
  void leastRequestTimeoutFailsTheRequest() throws Exception {
    try (ScriptedServer server = ScriptedServer.start(ScriptedServer::keep);
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .requestTimeout(LEAST)
            .closeTimeout(LEAST)
            .connect()) {
      assertThat(client.request(new byte[1]))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .withMessageContaining("(requestTimeout");
    }
  }

  @Test
  void leastHandlerThreadTimeoutServesOrCounts() throws Exception {
    try (FramedServer server =
            Way.BLOCKING.echo().handlerThreadTimeout(Duration.ofMillis(1)).start();
        EchoPeer peer = EchoPeer.of(server)) {
      boolean served;
      try {
        peer.echo((byte) 1);
        served = true;
      } catch (IOException | AssertionError closed) {
        served = false;
      }
      assertThat(server.counters().connectionsNotServed()).isEqualTo(served ? 0 : 1);
    }
  }

  /**
   * What is lost after a connection of the least time is called again, and of the greatest counts
   * on.
   */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void resetAfterForgetsAttemptsOrCountsOn(boolean least) throws Exception {
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> socket.close());
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .reconnect(Reconnect.builder()
                .firstDelay(LEAST)
                .maxDelay(LEAST)
                .maxAttempts(2)
                .resetAfter(least ? LEAST : GREATEST)
                .build())
            .connect()) {
      int expected = least ? 6 : 3;
      Await.until(expected + " visits", () -> server.visits.size() >= expected);
      if (!least) {
        Await.until("both are over", () -> client.counters().connectionsOpen() == 0);
        assertThat(server.visits).hasSize(3);
      }
    }
  }

  @Test
  void handshakeTimeoutAtItsEdges() throws Exception {
    Certificates certificates = Certificates.in(folder);
    try (FramedServer server =
        Way.BATCH.echo().tls(certificates.server().handshakeTimeout(GREATEST)).start()) {
      FramedClientBuilder builder = FramedClient.builder().host("localhost").port(server.port());
      try (FramedClient client =
          builder.tls(certificates.client().handshakeTimeout(GREATEST)).connect()) {
        assertThat(client.request(new byte[3]).get(20, TimeUnit.SECONDS)).hasSize(3);
      }
      try (FramedClient client =
          builder.tls(certificates.client().handshakeTimeout(LEAST)).connect()) {
        assertThat(client.request(new byte[3]).get(20, TimeUnit.SECONDS)).hasSize(3);
      } catch (IOException late) {
        assertThat(late).hasMessageContaining("handshakeTimeout");
      }
    }
  }

  static Stream<Arguments> echoServerSettings() {
    return Stream.of(
        echoServer("eventLoopThreads 1", b -> b.eventLoopThreads(1)),
        echoServer("maxConnections 1", b -> b.maxConnections(1)),
        echoServer("maxConnections greatest", b -> b.maxConnections(MAX)),
        echoServer("idleTimeout 0", b -> b.idleTimeout(Duration.ZERO)),
        echoServer("idleTimeout greatest", b -> b.idleTimeout(GREATEST)),
        echoServer("closeTimeout 0", b -> b.closeTimeout(Duration.ZERO)),
        echoServer("closeTimeout least", b -> b.closeTimeout(LEAST)),
        echoServer("closeTimeout greatest", b -> b.closeTimeout(GREATEST)));
  }

  private static Arguments echoServer(String name, UnaryOperator<EchoServerBuilder> setting) {
    return Arguments.of(name, setting);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("echoServerSettings")
  void echoServerEchoes(String name, UnaryOperator<EchoServerBuilder> setting) throws Exception {
    try (EchoServer server = setting.apply(EchoServer.builder()).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.echo((byte) 1).echo(EchoServers.random(10_000, 1));
    }
  }

  /**
   * Every pair of edges makes a format that works at its bounds, or is refused with the numbers.
   */
  @Test
  void formatsAtTheirEdgesWorkOrAreRefused() throws Exception {
    int[] offsets = {0, 1, MAX};
    int[] adjustments = {Integer.MIN_VALUE, -1, 0, 1, MAX};
    int[] strips = {-1, 0, 1, MAX};
    int[] longest = {1, 255, 256, MAX};
    int made = 0;
    for (int width : new int[] {1, 8}) {
      for (int offset : offsets) {
        for (int adjustment : adjustments) {
          for (int strip : strips) {
            for (int most : longest) {
              made += isMade(width, offset, adjustment, strip, most) ? 1 : 0;
            }
          }
        }
      }
    }
    assertThat(made).isBetween(20, 400);
  }

  private static boolean isMade(int width, int offset, int adjustment, int strip, int most)
      throws Exception {
    FrameFormat.Builder builder = FrameFormat.builder()
        .lengthFieldLength(width)
        .lengthFieldOffset(offset)
        .lengthAdjustment(adjustment)
        .maxFrameLength(most);
    if (strip >= 0) {
      builder.initialBytesToStrip(strip);
    }
    FrameFormat format;
    try {
      format = builder.build();
    } catch (IllegalStateException refused) {
      assertThat(refused).hasMessageMatching("(?s).*\\d.*");
      return false;
    }
    if (format.whyNotEncodable().isPresent()) {
      return true;
    }
    int kept = Math.max(0, offset + width - format.initialBytesToStrip());
    byte[] frame = new byte[kept + Math.min(most, 1000)];
    ByteBuf wire = Unpooled.buffer();
    try (FrameDecoder decoder = FrameDecoder.of(format)) {
      FrameEncoder.of(format).encode(frame, wire);
      decoder.add(wire);
      assertThat(decoder.next()).as("%s", format).hasSize(frame.length);
    } catch (FramingException tooSmall) {
      assertThat(tooSmall).as("%s", format).hasMessageMatching("(?s).*\\d.*");
    }
    return true;
  }

  static Stream<Arguments> leastTimeouts() {
    return Stream.of(
        server("connectionsIdle", b -> b.idleTimeout(LEAST)),
        server("framesTimedOut", b -> b.frameTimeout(LEAST)),
        server(
            "connectionsStalled",
            b -> b.stallTimeout(LEAST).handler(connection -> {
              connection
                  .closed()
                  .toCompletableFuture()
                  .handle((done, error) -> "")
                  .join();
            })));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("leastTimeouts")
  void leastTimeoutsEndConnectionsAtOnce(String counter, UnaryOperator<FramedServerBuilder> setting)
      throws Exception {
    FramedServerBuilder way =
        counter.equals("connectionsStalled") ? FramedServer.builder() : Way.BATCH.echo();
    try (FramedServer server = setting.apply(way).start();
        EchoPeer peer = EchoPeer.of(server)) {
      if (!counter.equals("connectionsIdle")) {
        peer.write(0, 0, 0);
      }
      peer.expectClosed();
      assertThat(server.counters().asMap()).containsEntry(counter, 1L);
    }
  }
}
