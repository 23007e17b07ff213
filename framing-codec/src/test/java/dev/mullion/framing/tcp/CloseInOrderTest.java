package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A side that closes while its peer still sends. A socket that is closed with bytes that nobody has
 * read, or to which some still come, is reset, and the peer lost frames whose {@code send} had
 * returned.
 */
@Timeout(60)
class CloseInOrderTest {
  private static final int FRAMES = 40;
  private static final int LENGTH = 10_000;
  private static final Duration LONG = Duration.ofSeconds(40);

  /** How a connection is closed by its owner. */
  enum Closing {
    CLOSE,
    CLOSE_WHEN_SENT,
    CLOSE_OF_THE_CLIENT,
    END_OUTPUT_AND_CLOSE;

    void run(FramedClient client) {
      FramedConnection connection = client.connection();
      switch (this) {
        case CLOSE -> connection.close();
        case CLOSE_WHEN_SENT -> connection.closeWhenSent();
        case CLOSE_OF_THE_CLIENT -> client.close();
        case END_OUTPUT_AND_CLOSE -> {
          connection.endOutput();
          connection.close();
        }
      }
    }
  }

  static Stream<Arguments> closings() {
    return Stream.of(Transport.NIO, Transport.EPOLL, Transport.IO_URING)
        .filter(Transport::isAvailable)
        .flatMap(transport ->
            Stream.of(Closing.values()).map(closing -> Arguments.of(transport, closing)));
  }

  /**
   * A peer whose kernel takes little, so that most of what is sent to it waits on the other side.
   */
  private static ServerSocket listener() throws IOException {
    ServerSocket listener = new ServerSocket();
    listener.setOption(StandardSocketOptions.SO_RCVBUF, 4 * 1024);
    listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    return listener;
  }

  private static Socket narrow(FramedServer server) throws IOException {
    Socket socket = new Socket();
    socket.setReceiveBufferSize(4 * 1024);
    socket.connect((InetSocketAddress) server.address());
    return socket;
  }

  /** Sends until the other side takes no more, or it is told to end. */
  private static CompletableFuture<Void> sendOn(Socket peer, CountDownLatch some) {
    return Threads.run(() -> {
      byte[] frame = new byte[1004];
      frame[2] = 1000 >> 8;
      frame[3] = (byte) 1000;
      try {
        while (true) {
          peer.getOutputStream().write(frame);
          some.countDown();
        }
      } catch (IOException ended) {
        some.countDown();
      }
    });
  }

  private static void end(Socket peer) throws IOException {
    peer.close();
  }

  private static int framesUntilTheEnd(Socket peer) throws IOException {
    FrameReader reader = FrameReader.of(peer.getInputStream(), FrameFormat.defaults());
    int frames = 0;
    while (reader.read() != null) {
      frames++;
    }
    return frames;
  }

  @ParameterizedTest
  @MethodSource("closings")
  void peerThatKeepsSendingGetsAll(Transport transport, Closing closing) throws Exception {
    CountDownLatch some = new CountDownLatch(50);
    try (ServerSocket listener = listener();
        FramedClient client = FramedClient.builder()
            .port(listener.getLocalPort())
            .transport(transport)
            .closeTimeout(LONG)
            .option(StandardSocketOptions.SO_SNDBUF, 1024 * 1024)
            .connect();
        Socket peer = listener.accept()) {
      peer.setSoTimeout(20_000);
      CompletableFuture<Void> sender = sendOn(peer, some);
      assertThat(some.await(20, TimeUnit.SECONDS)).isTrue();
      for (int i = 0; i < FRAMES; i++) {
        client.connection().send(new byte[LENGTH]);
      }
      CompletableFuture<Void> closer = Threads.run(() -> closing.run(client));
      Await.until("it closes", () -> !client.connection().isOpen());

      assertThat(framesUntilTheEnd(peer)).isEqualTo(FRAMES);

      // It sends as long as this side listens, and this side listens as long as it has not ended.
      Await.until("it reads on", () -> client.counters().bytesNotHandled() > 0);
      end(peer);
      sender.get(20, TimeUnit.SECONDS);
      closer.get(20, TimeUnit.SECONDS);
      Await.until("it is closed", () -> client.counters().connectionsOpen() == 0);
      assertThat(client.counters().bytesNotSent()).isZero();
      assertThat(client.counters().connectionsFailed()).isZero();
    }
  }

  /** The same on the server's side, whose handler ends while the peer sends. */
  @ParameterizedTest
  @EnumSource(names = {"BLOCKING", "BATCH", "REACTIVE"})
  void peerOfAServerThatKeepsSendingGetsAll(Way way) throws Exception {
    try (FramedServer server = greeter(way).closeTimeout(LONG).start();
        Socket peer = narrow(server)) {
      peer.setSoTimeout(20_000);
      CompletableFuture<Void> sender = sendOn(peer, new CountDownLatch(1));

      assertThat(framesUntilTheEnd(peer)).isEqualTo(FRAMES);

      end(peer);
      sender.get(20, TimeUnit.SECONDS);
      FramedServers.awaitEmpty(server);
      assertThat(server.counters().connectionsFailed()).isZero();
    }
  }

  /** Sends some frames when one has come, and closes. */
  private static FramedServerBuilder greeter(Way way) {
    FramedServerBuilder builder = FramedServer.builder();
    return switch (way) {
      case BATCH ->
        builder.batchHandler(() -> (connection, batch) -> {
          if (connection.isOpen()) {
            for (int i = 0; i < FRAMES; i++) {
              connection.reply(new byte[LENGTH]);
            }
            connection.closeWhenSent();
          }
        });
      case REACTIVE ->
        builder.reactiveHandler(connection -> {
          for (int i = 0; i < FRAMES; i++) {
            connection.sendAsync(new byte[LENGTH]);
          }
          connection.closeWhenSent();
        });
      default ->
        builder.handler(connection -> {
          connection.receive();
          for (int i = 0; i < FRAMES; i++) {
            connection.send(new byte[LENGTH]);
          }
        });
    };
  }

  @Test
  void peerThatNeverEndsCostsHalfOfTheTimeAndIsCounted() throws Exception {
    try (ServerSocket listener = listener();
        FramedClient client = FramedClient.builder()
            .port(listener.getLocalPort())
            .closeTimeout(Duration.ofSeconds(1))
            .connect();
        Socket peer = listener.accept()) {
      client.connection().send(new byte[10]);
      long start = System.nanoTime();
      client.connection().close();

      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(Duration.ofMillis(450), Duration.ofSeconds(20));
      Await.until("it is closed", () -> client.counters().connectionsOpen() == 0);
      assertThat(client.counters().closesUnconfirmed()).isOne();
      assertThat(client.counters().connectionsFailed()).isZero();
      assertThat(framesUntilTheEnd(peer)).isOne();
    }
  }

  @Test
  void peerThatResetsInPlaceOfItsEndIsCountedAndNoFailure() throws Exception {
    try (ServerSocket listener = listener();
        FramedClient client = FramedClient.builder()
            .port(listener.getLocalPort())
            .closeTimeout(LONG)
            .connect();
        Socket peer = listener.accept()) {
      client.connection().send(new byte[10]);
      client.connection().closeWhenSent();
      assertThat(framesUntilTheEnd(peer)).isOne();
      peer.setSoLinger(true, 0);
      end(peer);

      client.connection().closed().toCompletableFuture().get(20, TimeUnit.SECONDS);
      assertThat(client.counters().closesUnconfirmed()).isOne();
      assertThat(client.counters().connectionsFailed()).isZero();
    }
  }

  /**
   * Where nothing was sent, nothing can be lost; and a server of ours ends as soon as its client
   * does.
   */
  @Test
  void closeIsQuickWhereNothingCanBeLost() throws Exception {
    try (ServerSocket listener = listener();
        FramedServer server = Way.BATCH.echo().start()) {
      long start = System.nanoTime();
      FramedClient silent = FramedClient.builder()
          .port(listener.getLocalPort())
          .closeTimeout(LONG)
          .connect();
      silent.close();
      FramedClient usual =
          FramedClient.builder().port(server.port()).closeTimeout(LONG).connect();
      usual.request(new byte[10]).get(20, TimeUnit.SECONDS);
      usual.close();

      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(LONG.dividedBy(2));
      assertThat(silent.counters().closesUnconfirmed()).isZero();
      assertThat(usual.counters().closesUnconfirmed()).isZero();
    }
  }

  /** What comes is for nobody any more, and so is not waited for. */
  @Test
  void whoWaitsForFramesIsToldAtOnce() throws Exception {
    try (ServerSocket listener = listener();
        FramedClient client = FramedClient.builder()
            .port(listener.getLocalPort())
            .closeTimeout(LONG)
            .connect();
        Socket peer = listener.accept()) {
      CompletableFuture<byte[]> reply = client.request(new byte[10]);
      client.connection().closeWhenSent();
      assertThatThrownBy(() -> reply.get(10, TimeUnit.SECONDS))
          .hasMessageContaining("connection is closed");
      assertThat(framesUntilTheEnd(peer)).isOne();
    }
  }

  /** A stop waits for quiet clients for a third of a second, and not for their end. */
  @ParameterizedTest
  @EnumSource(names = {"BLOCKING", "BATCH", "REACTIVE"})
  void stopDoesNotWaitForTheEndOfAQuietClient(Way way) throws Exception {
    FramedServer server = greeter(way).closeTimeout(LONG).start();
    try (EchoPeer peer = EchoPeer.of(server).send(new byte[1])) {
      assertThat(peer.receive()).hasSize(LENGTH);
      long start = System.nanoTime();

      server.close();

      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(LONG.dividedBy(2));
      assertThat(server.counters().connectionsCut()).isZero();
      assertThat(server.counters().closesUnconfirmed()).isOne();
      for (int i = 1; i < FRAMES; i++) {
        assertThat(peer.receive()).hasSize(LENGTH);
      }
      peer.expectClosed();
    }
  }
}
