package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.EchoServers.awaitOpen;
import static dev.mullion.framing.tcp.EchoServers.random;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.testing.Threads;
import java.net.Socket;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class EchoServerTest {
  private static final String SERVERS = "dev.mullion.framing.tcp.EchoServers#transports";

  @AfterEach
  void nothingIsLeftRunning() throws Exception {
    EchoServers.awaitNoThreads();
  }

  @Test
  void listensOnAFreeLocalPortByDefault() throws Exception {
    try (EchoServer server = EchoServer.builder().start()) {
      assertThat(server.address().getAddress().getHostAddress()).isEqualTo("127.0.0.1");
      assertThat(server.port()).isPositive().isEqualTo(server.address().getPort());
      assertThat(server.transport())
          .isEqualTo(Transport.EPOLL.isAvailable() ? Transport.EPOLL : Transport.NIO);
      assertThat(server.isTerminated()).isFalse();
      assertThat(EchoServers.threads()).isNotEmpty();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"NIO", "EPOLL", "IO_URING"})
  void answersEachFrameWithItself(Transport transport) throws Exception {
    assumeTrue(transport.isAvailable(), () -> transport + " is not available here");
    try (EchoServer server = EchoServer.builder().transport(transport).start();
        EchoPeer peer = EchoPeer.of(server)) {
      assertThat(server.transport()).isEqualTo(transport);
      peer.echo("hello".getBytes(US_ASCII)).echo().echo((byte) 0);
      for (int length : new int[] {4096, 65_536, 1_000_000, 8 * 1024 * 1024}) {
        CompletableFuture<Void> sent = send(peer, random(length, length));
        assertThat(peer.receive()).isEqualTo(random(length, length));
        sent.get();
      }
    }
  }

  @ParameterizedTest
  @MethodSource(SERVERS)
  void pipelinedFramesComeBackInOrder(Transport transport) throws Exception {
    int frames = 20_000;
    try (EchoServer server = EchoServer.builder().transport(transport).start();
        EchoPeer peer = EchoPeer.of(server)) {
      byte[][] all = new byte[frames][];
      for (int i = 0; i < frames; i++) {
        all[i] = random(i % 700, i);
      }
      CompletableFuture<Void> sent = send(peer, all);

      for (int i = 0; i < frames; i++) {
        assertThat(peer.receive()).isEqualTo(all[i]);
      }
      sent.get();
      assertThat(server.counters().frames().framesDecoded()).isEqualTo(frames);
    }
  }

  @Test
  void speaksTheFormatItIsGiven() throws Exception {
    FrameFormat format = FrameFormat.netstring();
    try (EchoServer server = EchoServer.builder().format(format).start();
        EchoPeer peer = EchoPeer.of(server, format)) {
      peer.echo("hello".getBytes(US_ASCII)).echo().echo(random(100_000, 1));
    }
  }

  /** Echo sends the bytes that came, so it needs no encoder. */
  @Test
  void formatThatOnlyDecodesIsFine() throws Exception {
    FrameFormat format =
        FrameFormat.builder().lengthFieldOffset(1).lengthFieldLength(1).build();
    try (EchoServer server = EchoServer.builder().format(format).start();
        Socket peer = new Socket(server.address().getAddress(), server.port())) {
      peer.getOutputStream().write(new byte[] {7, 2, 'H', 'I'});

      assertThat(peer.getInputStream().readNBytes(4)).containsExactly(7, 2, 'H', 'I');
    }
  }

  @Test
  void servesManyConnections() throws Exception {
    EchoPeer[] peers = new EchoPeer[200];
    try (EchoServer server = EchoServer.builder().start()) {
      for (int i = 0; i < peers.length; i++) {
        peers[i] = EchoPeer.of(server).send(random(100, i));
      }
      for (int i = 0; i < peers.length; i++) {
        assertThat(peers[i].receive()).isEqualTo(random(100, i));
      }
      assertThat(server.counters().connectionsOpen()).isEqualTo(200);
      for (EchoPeer peer : peers) {
        peer.close();
      }
      awaitOpen(server, 0);
    }
  }

  @Test
  void countersTellWhatItDid() throws Exception {
    try (EchoServer server = EchoServer.builder().start()) {
      try (EchoPeer peer = EchoPeer.of(server)) {
        peer.echo((byte) 1, (byte) 2).echo();
        String text = server.counters().toString();
        assertThat(text).contains(server.counters().asMap().keySet());
        // The first call of a handler may be slow.
        String notZero =
            text.replaceAll("handlersSlow=\\d+", "handlersSlow=0").replaceAll(", \\w+=0\\b", "");
        assertThat(notZero)
            .isEqualTo("TcpCounters[connectionsOpen=1, connectionsOpened=1,"
                + " frames=FrameCounters[framesDecoded=2, bytesDecoded=10, framesEncoded=2,"
                + " bytesEncoded=10]]");
      }
      awaitOpen(server, 0);
      EchoPeer.of(server).echo((byte) 3).close();
      awaitOpen(server, 0);

      assertThat(server.counters().connectionsOpened()).isEqualTo(2);
      assertThat(server.counters().frames().framesTruncated()).isZero();
    }
  }

  /** More nanoseconds than a long can hold. */
  @Test
  @SuppressWarnings("try") // It is closed earlier.
  void timeoutsMayBeForever() throws Exception {
    try (EchoServer server = EchoServer.builder()
            .idleTimeout(ChronoUnit.FOREVER.getDuration())
            .closeTimeout(ChronoUnit.FOREVER.getDuration())
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.echo((byte) 1);
      server.close();
      assertThat(server.awaitTermination(ChronoUnit.FOREVER.getDuration())).isTrue();
      assertThat(peer.receive()).isNull();
      assertThat(server.counters().connectionsCut()).isZero();
    }
  }

  private static CompletableFuture<Void> send(EchoPeer peer, byte[]... frames) {
    return Threads.run(() -> {
      try {
        peer.send(frames);
      } catch (java.io.IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    });
  }
}
