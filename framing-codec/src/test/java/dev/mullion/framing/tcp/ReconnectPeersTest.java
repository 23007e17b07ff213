package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What peers do to clients that connect again, and what the clients do then. */
@Timeout(60)
class ReconnectPeersTest {
  private static final int ATTEMPTS = 4;
  private static final long FIRST_MILLIS = 10;

  /** It makes the first connection, which was good, forgotten in no test. */
  private static final Duration NEVER = Duration.ofDays(1);

  private static Reconnect.Builder few() {
    return Reconnect.builder()
        .firstDelay(Duration.ofMillis(FIRST_MILLIS))
        .maxDelay(Duration.ofSeconds(1))
        .jitter(0)
        .maxAttempts(ATTEMPTS)
        .resetAfter(NEVER);
  }

  /** How clients receive, or do not: each must see the end of its connection. */
  enum Reader {
    NOBODY,
    REQUESTS,
    BATCH,
    PUBLISHER;

    FramedClient connect(FramedClientBuilder builder) throws IOException {
      if (this == BATCH) {
        builder.batchHandler((connection, batch) -> {});
      }
      FramedClient client = builder.connect();
      if (this == REQUESTS) {
        client.request(new byte[1]);
      } else if (this == PUBLISHER) {
        client.connection().publisher().subscribe(client.connection().subscriber());
      }
      return client;
    }
  }

  /** What a peer does to each connection that it has accepted. */
  enum Ending {
    FIN {
      @Override
      void end(Socket socket) throws IOException {
        socket.close();
      }
    },
    /** It still reads: its connection need not be closed for the client to see the end. */
    HALF {
      @Override
      void end(Socket socket) throws IOException {
        socket.shutdownOutput();
      }
    },
    FIN_AFTER_A_FRAME {
      @Override
      void end(Socket socket) throws IOException {
        FrameWriter writer = FrameWriter.of(socket.getOutputStream(), FrameFormat.defaults());
        writer.write(new byte[] {1, 2});
        writer.flush();
        socket.close();
      }
    },
    RESET {
      @Override
      void end(Socket socket) throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
      }
    };

    abstract void end(Socket socket) throws IOException;
  }

  /** One that ended each connection at once was called some 50 times a second, for ever. */
  @ParameterizedTest
  @EnumSource
  void peerThatEndsEachConnectionIsCalledAtGrowingIntervals(Ending ending) throws Exception {
    for (Reader reader : Reader.values()) {
      CountDownLatch connected = new CountDownLatch(1);
      try (ScriptedServer server = ScriptedServer.start((socket, number) -> {
            connected.await();
            ending.end(socket);
          });
          FramedServers.Log log = new FramedServers.Log();
          FramedClient client = reader.connect(
              FramedClient.builder().port(server.port()).reconnect(few().build()))) {
        connected.countDown();
        TcpCounters counters = client.counters();
        Await.until(
            "it gives up (" + reader + ")",
            () -> log.records.stream().anyMatch(line -> line.contains("gave up")));

        assertThat(counters.connectionsOpen()).isZero();
        assertThat(client.isConnected()).isFalse();
        // A reset may come before the client has seen that it is connected.
        assertThat(counters.reconnects() + counters.reconnectsFailed()).isEqualTo(ATTEMPTS);
        if (ending != Ending.RESET) {
          assertThat(counters.reconnects()).isEqualTo(ATTEMPTS);
          assertThat(counters.connectionsOpened()).isEqualTo(1 + ATTEMPTS);
        }
        assertThat(log.records)
            .filteredOn(line -> line.contains("gave up"))
            .singleElement()
            .isEqualTo("WARNING gave up connecting to 127.0.0.1:" + server.port()
                + " (maxAttempts: 4 since the last connection that lasted, resetAfter: PT24H)");
        Await.until("all are seen", () -> server.visits.size() == 1 + ATTEMPTS);
        checkDelays(server.visits);
        assertThat(server.failures).isEmpty();
      }
    }
  }

  private static void checkDelays(List<ScriptedServer.Visit> visits) {
    long delay = FIRST_MILLIS;
    for (int i = 2; i < visits.size(); i++) {
      delay *= 2;
      long gap = visits.get(i).acceptedAt() - visits.get(i - 1).acceptedAt();
      assertThat(Duration.ofNanos(gap)).isGreaterThanOrEqualTo(Duration.ofMillis(delay));
    }
  }

  @Test
  void attemptsBeforeAConnectionThatLastedAreForgotten() throws Exception {
    Duration lasting = Duration.ofMillis(30);
    Reconnect one = few().maxAttempts(1).resetAfter(lasting).build();
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> {
          // What the client sends a while after it has been connected, or its end.
          socket.getInputStream().read();
          socket.close();
        });
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .reconnect(one)
            .onConnected(connection -> connection
                .link()
                .context()
                .executor()
                .schedule(
                    () -> connection.sendAsync(new byte[1]),
                    2 * lasting.toNanos(),
                    TimeUnit.NANOSECONDS))
            .connect()) {
      Await.until("it connects again and again", () -> client.counters().reconnects() >= 3);
      assertThat(client.counters().reconnectsFailed()).isZero();
    }
  }

  @Test
  void peerThatAcceptsAndSaysNothingIsConnected() throws Exception {
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> {
          if (number == 0) {
            socket.close();
          }
        });
        FramedClient client =
            FramedClient.builder().port(server.port()).reconnect(few().build()).connect()) {
      Await.until("it is connected again", () -> client.counters().reconnects() == 1);
      assertThat(client.isConnected()).isTrue();
      assertThat(client.counters().connectionsOpen()).isOne();
      assertThat(server.visits.size()).isLessThanOrEqualTo(2);
    }
  }

  /** It was given up after the ten seconds of a handshake, whatever connectTimeout said. */
  @Test
  void peerThatIsSilentInTheHandshakeIsAFailedAttempt(@TempDir Path directory) throws Exception {
    Certificates certificates = Certificates.in(directory);
    FramedServer server = Way.BLOCKING.echo().tls(certificates.server()).start();
    try (FramedClient client = FramedClient.builder()
        .port(server.port())
        .tls(certificates.client())
        .connectTimeout(Duration.ofSeconds(3))
        .reconnect(few().maxAttempts(1).build())
        .connect()) {
      long start = System.nanoTime();
      server.stop(Duration.ZERO);
      try (ScriptedServer silent =
          ScriptedServer.start("127.0.0.1", server.port(), ScriptedServer::keep)) {
        Await.until("it has failed", () -> client.counters().reconnectsFailed() == 1);
        assertThat(silent.visits.size()).isLessThanOrEqualTo(1);
        // The handshake's own timeout is 10 s.
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(9));
      }
      assertThat(client.counters().reconnects()).isZero();
      assertThat(client.isConnected()).isFalse();
    } finally {
      server.close();
    }
  }

  @Test
  void peerThatRefusesIsGivenUp() throws Exception {
    try (ScriptedServer server = ScriptedServer.start(ScriptedServer::keep);
        FramedClient client =
            FramedClient.builder().port(server.port()).reconnect(few().build()).connect()) {
      Await.until("it is accepted", () -> server.visits.size() == 1);
      server.refuse();
      server.end();
      Await.until("all have failed", () -> client.counters().reconnectsFailed() == ATTEMPTS);
      assertThat(client.counters().reconnects()).isZero();
      assertThat(client.isConnected()).isFalse();
      // What belonged to an attempt that had failed stayed with the client, for ever.
      TcpConnector connector = client.connector();
      Await.until(
          "nothing is left of them",
          () -> connector.loop.submit(connector.parts.watch()::size).get() == 0
              && connector.connectionSettings.budget().connections() == 0);
    }
  }

  /** The kernel gives the port of an absent server to its client, sooner or later. */
  @Test
  void connectionToItselfIsAFailedAttempt() throws Exception {
    AtomicReference<String> at = new AtomicReference<>("127.0.0.2");
    NameLookup names = new NameLookup(host -> InetAddress.getAllByName(at.get()));
    try (ScriptedServer server = serverWithPortThatIsFreeHere()) {
      InetSocketAddress own =
          new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port());
      try (FramedClient client = FramedClient.builder()
          .host("moves.test")
          .port(server.port())
          .lookup(names)
          .localAddress(own)
          .reconnect(few().build())
          .connect()) {
        assertThat(client.connection().localAddress()).isEqualTo(own);
        Await.until("it is accepted", () -> server.visits.size() == 1);
        at.set("127.0.0.1");
        server.end();
        Await.until("all have failed", () -> client.counters().reconnectsFailed() == ATTEMPTS);

        assertThat(client.counters().reconnects()).isZero();
        assertThat(client.counters().connectionsOpened()).isOne();
        try (ServerSocket free = new ServerSocket()) {
          free.setReuseAddress(false);
          free.bind(own);
        }
      }
    }
  }

  /** Returns a server of another address; connections of other programs may have its port here. */
  private static ScriptedServer serverWithPortThatIsFreeHere() throws Exception {
    while (true) {
      ScriptedServer server = ScriptedServer.start("127.0.0.2", 0, ScriptedServer::keep);
      try (ServerSocket here = new ServerSocket()) {
        here.setReuseAddress(false);
        here.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), server.port()));
        return server;
      } catch (BindException taken) {
        server.close();
      }
    }
  }

  @Test
  void firstConnectionToItselfIsRefused() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    assertThatThrownBy(() -> FramedClient.builder()
            .port(port)
            .localAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
            .connect())
        .isExactlyInstanceOf(java.net.ConnectException.class)
        .hasMessage("cannot connect to 127.0.0.1:" + port
            + ": connected to itself: no server is listening there");
  }

  /** It stayed connected, and what it sent was lost. */
  @Test
  void clientThatOnlySendsComesBackToARestartedServer() throws Exception {
    FramedServer first = Way.REACTIVE.echo().start();
    try (FramedClient client = FramedClient.builder()
        .port(first.port())
        .reconnect(few().maxAttempts(0).build())
        .connect()) {
      FramedConnection before = client.connection();
      before.send(new byte[] {1});
      Await.until("it has come", () -> first.counters().frames().framesDecoded() == 1);
      first.close();
      Await.until("the end is seen", () -> !client.isConnected());
      assertThatThrownBy(() -> before.send(new byte[1]))
          .isExactlyInstanceOf(FrameNotSentException.class)
          .hasMessage("connection is closed (peer " + before.remoteAddress() + ")");
      assertThat(before.receive()).containsExactly(1);
      assertThat(before.receive()).isNull();

      try (FramedServer second = Way.REACTIVE.echo().port(first.port()).start()) {
        Await.until("it is connected again", client::isConnected);
        assertThat(client.connection()).isNotSameAs(before);
        client.connection().send(new byte[] {2});
        assertThat(client.connection().receive()).containsExactly(2);
        assertThat(second.counters().connectionsOpened()).isOne();
      }
    }
  }

  /** Also those that wait in the kernel while the inbound queue is full. */
  @ParameterizedTest
  @EnumSource(names = {"FIN", "HALF"})
  void slowReaderGetsAllFramesFromBeforeTheEnd(Ending ending) throws Exception {
    int frames = 1000;
    byte[] frame = EchoServers.random(2000, 3);
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> {
          if (number == 0) {
            FrameWriter writer = FrameWriter.of(socket.getOutputStream(), FrameFormat.defaults());
            for (int i = 0; i < frames; i++) {
              writer.write(frame);
            }
            writer.flush();
            ending.end(socket);
          }
        });
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .inboundHighWaterMark(16 * 1024)
            .reconnect(few().build())
            .connect()) {
      FramedConnection before = client.connection();
      Await.until("it is not read from", () -> client.counters().readsPaused() > 0);
      for (int i = 0; i < frames; i++) {
        assertThat(before.receive()).isEqualTo(frame);
      }
      assertThat(before.receive()).isNull();
      Await.until("it is connected again", () -> client.counters().reconnects() == 1);
      assertThat(client.connection()).isNotSameAs(before);
      assertThat(client.counters().connectionsFailed()).isZero();
    }
  }

  /** What was taken is sent to a peer that reads, but does not keep the client for ever. */
  @Test
  void peerThatEndsAndDoesNotReadIsLeftAfterTheCloseTimeout() throws Exception {
    try (ScriptedServer server = ScriptedServer.start((socket, number) -> {
          if (number == 0) {
            socket.setReceiveBufferSize(4096);
            // When the client has filled what there is room for.
            socket.getInputStream().read();
            socket.shutdownOutput();
          }
        });
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .option(java.net.StandardSocketOptions.SO_SNDBUF, 16 * 1024)
            .outboundHighWaterMark(32 * 1024 * 1024)
            .closeTimeout(Duration.ofMillis(200))
            .reconnect(few().build())
            .connect()) {
      client.connection().send(new byte[8_000_000]);
      Await.until("it is connected again", () -> client.counters().reconnects() == 1);
      assertThat(client.counters().bytesNotSent()).isPositive();
      assertThat(client.counters().connectionsFailed()).isOne();
    }
  }
}
