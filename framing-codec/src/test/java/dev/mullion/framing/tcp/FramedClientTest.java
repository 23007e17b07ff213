package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.net.Tls;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How clients connect and connect again, and what becomes of their requests. */
@Timeout(60)
class FramedClientTest {
  private static final Reconnect SOON = Reconnect.builder()
      .firstDelay(Duration.ofMillis(20))
      .maxDelay(Duration.ofMillis(20))
      .build();

  @Test
  void refusedConnectionNamesItsTarget() throws Exception {
    int port;
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = free.getLocalPort();
    }
    assertThatThrownBy(() -> FramedClient.connect("127.0.0.1", port))
        .isExactlyInstanceOf(ConnectException.class)
        .hasMessage("cannot connect to 127.0.0.1:" + port + ": connection refused");
  }

  /** The kernel accepts, and nobody answers the handshake. */
  @Test
  void connectTimeoutIncludesTheHandshake() throws Exception {
    try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      long start = System.nanoTime();
      assertThatThrownBy(() -> FramedClient.builder()
              .port(silent.getLocalPort())
              .tls(Tls.client())
              .connectTimeout(Duration.ofMillis(200))
              .connect())
          .isExactlyInstanceOf(ConnectException.class)
          .hasMessage("cannot connect to 127.0.0.1:" + silent.getLocalPort()
              + ": not connected in 200 ms (connectTimeout)");
      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(Duration.ofMillis(200), Duration.ofSeconds(10));
    }
  }

  /** Nobody accepts, and the kernel's queue of those who wait for that is full. */
  @Test
  void connectTimeoutOfASocketThatNobodyAccepts() throws Exception {
    List<Socket> waiting = new ArrayList<>();
    try (ServerSocket full = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      fill(full, waiting);
      assertThatThrownBy(() -> FramedClient.builder()
              .port(full.getLocalPort())
              .connectTimeout(Duration.ofMillis(200))
              .connect())
          .isExactlyInstanceOf(ConnectException.class)
          .hasMessage("cannot connect to 127.0.0.1:" + full.getLocalPort()
              + ": not connected in 200 ms (connectTimeout)");
    } finally {
      for (Socket each : waiting) {
        each.close();
      }
    }
  }

  private static void fill(ServerSocket server, List<Socket> waiting) throws IOException {
    try {
      while (waiting.size() < 100) {
        Socket next = new Socket();
        waiting.add(next);
        next.connect(server.getLocalSocketAddress(), 100);
      }
    } catch (SocketTimeoutException full) {
      return;
    }
    throw new AssertionError("100 connections wait, and there is room for more");
  }

  @Test
  void connectsAgainToARestartedServer() throws Exception {
    CompletableFuture<Void> reached = new CompletableFuture<>();
    FramedServer first = FramedServer.builder()
        .handler(connection -> {
          connection.receive();
          reached.complete(null);
          new CompletableFuture<Void>().get();
        })
        .start();
    try (FramedClient client =
        FramedClient.builder().port(first.port()).reconnect(SOON).connect()) {
      FramedConnection before = client.connection();
      CompletableFuture<byte[]> inFlight = client.request("lost".getBytes(UTF_8));
      reached.get(20, TimeUnit.SECONDS);
      first.stop(Duration.ZERO);

      assertThat(inFlight)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(IOException.class)
          .withMessageMatching("connection was (lost|closed by the peer) before the reply came; the"
              + " request may have been handled \\(peer 127.0.0.1/127.0.0.1:" + first.port()
              + "\\).*");
      assertThat(client.request("too early".getBytes(UTF_8)))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(FrameNotSentException.class)
          .withMessage("connection is closed (peer " + before.remoteAddress() + ")");
      assertThat(client.counters().reconnects()).isZero();

      try (FramedServer second = Way.BLOCKING.echo().port(first.port()).start()) {
        Await.until("it is connected again", () -> client.counters().reconnects() == 1);
        assertThat(client.request("again".getBytes(UTF_8)).get(20, TimeUnit.SECONDS))
            .asString(UTF_8)
            .isEqualTo("again");
        assertThat(client.connection()).isNotSameAs(before);
        assertThat(client.isConnected()).isTrue();
        assertThat(client.counters().connectionsOpened()).isEqualTo(2);
        assertThat(second.counters().connectionsOpened()).isOne();
      }
    }
  }

  @Test
  void clientWithoutReconnectStaysDisconnected() throws Exception {
    FramedServer server = Way.BLOCKING.echo().start();
    try (FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      server.stop(Duration.ZERO);
      Await.until("it is seen", () -> client.counters().connectionsOpen() == 0);

      assertThat(client.isConnected()).isFalse();
      assertThat(client.request(new byte[1]))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(FrameNotSentException.class);
      assertThat(client.counters().reconnects()).isZero();
    }
  }

  @Test
  void requestsBeyondTheMostAreRefused() throws Exception {
    CompletableFuture<Void> go = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              go.get();
              for (byte[] frame : connection) {
                connection.send(frame);
              }
            })
            .start();
        FramedClient client =
            FramedClient.builder().port(server.port()).maxRequestsInFlight(2).connect()) {
      CompletableFuture<byte[]> first = client.request(new byte[] {1});
      CompletableFuture<byte[]> second = client.request(new byte[] {2});
      assertThat(client.request(new byte[] {3}))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(FrameNotSentException.class)
          .withMessage("request is not sent: 2 are in flight (maxRequestsInFlight: 2, peer "
              + client.connection().remoteAddress() + ")");
      assertThat(client.counters().sendsRefused()).isOne();
      first.cancel(true);
      assertThatThrownBy(first::get).isInstanceOf(CancellationException.class);
      go.complete(null);

      assertThat(second.get(20, TimeUnit.SECONDS)).containsExactly(2);
      assertThat(client.request(new byte[] {4}).get(20, TimeUnit.SECONDS)).containsExactly(4);
      assertThat(client.counters().repliesDropped()).isOne();
    }
  }

  /** Its event loop had ended, and the timeout of the request could not be scheduled on it. */
  @Test
  void firstRequestAfterCloseFails() throws Exception {
    try (FramedServer server = Way.BLOCKING.echo().start()) {
      FramedClient client = FramedClient.connect("127.0.0.1", server.port());
      client.close();

      assertThat(client.request(new byte[1]))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isInstanceOf(FrameNotSentException.class);
    }
  }

  /** It had no reader yet that could have seen the end of the connection. */
  @Test
  void firstRequestOnAnEndedConnectionIsNotSentAndItConnectsAgain() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .reactiveHandler(connection -> {
              accepted.complete(connection);
              connection.publisher().subscribe(connection.subscriber());
            })
            .start();
        FramedClient client =
            FramedClient.builder().port(server.port()).reconnect(SOON).connect()) {
      FramedConnection first = client.connection();
      accepted.get(20, TimeUnit.SECONDS).closeWhenSent();
      Await.until("the end has come", () -> first.link().ending.isInputEnded());
      CompletableFuture<Boolean> handled = new CompletableFuture<>();
      first.link().runOnLoop(() -> handled.complete(true));
      handled.get(20, TimeUnit.SECONDS);

      assertThat(client.request(new byte[1]))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(FrameNotSentException.class)
          .withMessage("connection is closed (peer " + first.remoteAddress() + ")");
      Await.until("it is connected again", () -> client.counters().reconnects() == 1);
      assertThat(client.request(new byte[] {2}).get(20, TimeUnit.SECONDS)).containsExactly(2);
    }
  }

  @Test
  void clientThatMakesNoRequestConnectsAgainAndAgain() throws Exception {
    FramedServer server = Way.REACTIVE.echo().start();
    int port = server.port();
    try (FramedClient client = FramedClient.builder().port(port).reconnect(SOON).connect()) {
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      for (int i = 1; i <= 3; i++) {
        int times = i;
        server.stop(Duration.ofSeconds(5));
        server = Way.REACTIVE.echo().port(port).start();
        Await.until("it is connected again", () -> client.counters().reconnects() == times);
      }
      assertThat(client.request(new byte[] {2}).get(20, TimeUnit.SECONDS)).containsExactly(2);
      assertThat(client.counters().connectionsOpen()).isOne();
    } finally {
      server.close();
    }
  }

  @Test
  void frameThatDoesNotFitTheFormatIsRefusedWithThePeer() throws Exception {
    FrameFormat four = FrameFormat.builder().maxFrameLength(4).build();
    try (FramedServer server = Way.BLOCKING.echo().start();
        FramedClient client =
            FramedClient.builder().port(server.port()).format(four).connect()) {
      assertThatThrownBy(() -> client.connection().send(new byte[5]))
          .isExactlyInstanceOf(FrameTooLargeException.class)
          .hasMessage("frame length 5 exceeds maxFrameLength 4 (peer "
              + client.connection().remoteAddress() + ")");
      assertThat(client.request(new byte[4]).get(20, TimeUnit.SECONDS)).hasSize(4);
    }
  }

  @Test
  void replyThatDoesNotFitTheFormatIsRefusedWithThePeer() throws Exception {
    CompletableFuture<Throwable> refused = new CompletableFuture<>();
    FrameFormat four = FrameFormat.builder().maxFrameLength(4).build();
    try (FramedServer server = FramedServer.builder()
            .format(four)
            .batchHandler(() -> (connection, batch) -> {
              try {
                connection.reply(new byte[5]);
              } catch (UncheckedIOException e) {
                refused.complete(e.getCause());
                connection.reply(new byte[1]);
              }
            })
            .start();
        FramedClient client = FramedClient.builder().port(server.port()).connect()) {
      assertThat(client.request(new byte[4]).get(20, TimeUnit.SECONDS)).hasSize(1);
      assertThat(refused.join())
          .isExactlyInstanceOf(FrameTooLargeException.class)
          .hasMessage("frame length 5 exceeds maxFrameLength 4 (peer "
              + client.connection().localAddress() + ")");
    }
  }

  @Test
  void failureOfOnConnectedIsTheCallers() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = Way.BLOCKING.echo().start()) {
      assertThatThrownBy(() -> FramedClient.builder()
              .port(server.port())
              .onConnected(connection -> {
                throw new IllegalArgumentException("no greeting");
              })
              .connect())
          .isExactlyInstanceOf(IOException.class)
          .hasMessage("cannot connect to 127.0.0.1:" + server.port() + ": no greeting")
          .hasRootCauseExactlyInstanceOf(IllegalArgumentException.class);
      FramedServers.awaitEmpty(server);
      assertThat(log.records)
          .containsExactly("WARNING handler failed, closing connection (peer 127.0.0.1/127.0.0.1:"
              + server.port() + ")");
    }
  }

  @Test
  void failureOfOnConnectedIsOneMoreAttempt() throws Exception {
    AtomicInteger connected = new AtomicInteger();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              byte[] frame = connection.receive();
              while (frame != null && frame[0] != 'x') {
                connection.send(frame);
                frame = connection.receive();
              }
            })
            .start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .reconnect(SOON)
            .onConnected(connection -> {
              if (connected.incrementAndGet() == 2) {
                throw new IllegalArgumentException("not this time");
              }
            })
            .connect()) {
      assertThat(client.request("x".getBytes(UTF_8)))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(IOException.class)
          .withMessage("connection was closed by the peer before the reply came; the request may"
              + " have been handled (peer 127.0.0.1/127.0.0.1:" + server.port() + "); it sent"
              + " nothing, and may require TLS (setting: tls)");
      Await.until("it is connected again", () -> client.counters().reconnects() == 1);
      assertThat(connected).hasValue(3);
      assertThat(client.counters().handlersFailed()).isOne();
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
    }
  }
}
