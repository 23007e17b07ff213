package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.EchoServers.awaitOpen;
import static dev.mullion.framing.tcp.EchoServers.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import io.netty.buffer.PooledByteBufAllocator;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Peers that do not behave, and what the others notice of them: nothing. */
@Timeout(60)
class EchoServerPeersTest {
  private static final String TRANSPORTS = "dev.mullion.framing.tcp.EchoServers#transports";

  @AfterEach
  void nothingIsLeftRunning() throws Exception {
    EchoServers.awaitNoThreads();
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  @SuppressWarnings("try") // It is closed earlier.
  void connectionBeyondTheMostIsClosedAndItsPlaceIsFreeAgain(Transport transport) throws Exception {
    try (EchoServer server =
            EchoServer.builder().transport(transport).maxConnections(2).start();
        EchoPeer first = EchoPeer.of(server).echo((byte) 1);
        EchoPeer second = EchoPeer.of(server).echo((byte) 2)) {
      try (EchoPeer third = EchoPeer.of(server)) {
        third.expectClosed();
      }
      assertThat(server.counters().connectionsRefused()).isOne();
      assertThat(server.counters().connectionsOpen()).isEqualTo(2);
      second.echo((byte) 3);

      first.close();
      awaitOpen(server, 1);
      EchoPeer.of(server).echo((byte) 4).close();
      assertThat(server.counters().connectionsOpened()).isEqualTo(3);
    }
  }

  @Test
  void idleConnectionIsClosedAndABusyOneIsNot() throws Exception {
    Threads.forEach(EchoServers.transports().toList(), EchoServerPeersTest::closeTheIdleOne);
  }

  private static void closeTheIdleOne(Transport transport) throws Exception {
    try (EchoServer server = EchoServer.builder()
            .transport(transport)
            .idleTimeout(Duration.ofSeconds(1))
            .start();
        EchoPeer idle = EchoPeer.of(server).echo((byte) 1);
        EchoPeer busy = EchoPeer.of(server)) {
      CompletableFuture<Void> closed = Threads.run(() -> {
        try {
          idle.expectClosed();
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      while (!closed.isDone()) {
        busy.echo((byte) 2);
      }
      closed.get();
      awaitOpen(server, 1);
      assertThat(server.counters().connectionsIdle()).isOne();
    }
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void peerThatHalfClosesGetsAllReplies(Transport transport) throws Exception {
    try (EchoServer server = EchoServer.builder().transport(transport).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.send(random(10, 1), random(100_000, 2), random(10, 3)).halfClose();

      assertThat(peer.receive()).isEqualTo(random(10, 1));
      assertThat(peer.receive()).isEqualTo(random(100_000, 2));
      assertThat(peer.receive()).isEqualTo(random(10, 3));
      assertThat(peer.receive()).isNull();
      awaitOpen(server, 0);
    }
  }

  /** It reads nothing until it has sent all that the server takes, and half-closed. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void slowPeerThatHalfClosesGetsAllReplies(Transport transport) throws Exception {
    try (EchoServer server = EchoServer.builder().transport(transport).start();
        EchoPeer peer = EchoPeer.of(server)) {
      int frames = 2000;
      CompletableFuture<Void> sent = Threads.run(() -> {
        try {
          for (int i = 0; i < frames; i++) {
            peer.send(random(10_000, i));
          }
          peer.halfClose();
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      awaitStill(server);

      for (int i = 0; i < frames; i++) {
        assertThat(peer.receive()).as("frame %s", i).isEqualTo(random(10_000, i));
      }
      assertThat(peer.receive()).isNull();
      sent.get();
      awaitOpen(server, 0);
    }
  }

  /** Waits until the server reads no more, since nobody reads its replies. */
  private static void awaitStill(EchoServer server) throws Exception {
    long[] seen = {-1, 0};
    Await.until("the server reads no more", () -> {
      long now = server.counters().frames().bytesDecoded();
      seen[1] = now == seen[0] && now > 0 ? seen[1] + 1 : 0;
      seen[0] = now;
      return seen[1] == 400;
    });
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void peerThatNeverReadsIsNotReadFrom(Transport transport) throws Exception {
    try (EchoServer server =
            EchoServer.builder().transport(transport).eventLoopThreads(1).start();
        SocketChannel deaf = SocketChannel.open(server.address());
        EchoPeer other = EchoPeer.of(server)) {
      deaf.configureBlocking(false);
      ByteBuffer frame = ByteBuffer.allocate(1004).putInt(0, 1000);
      long written = 0;
      for (int refused = 0; refused < 500; ) {
        int n = deaf.write(frame);
        written += n;
        if (!frame.hasRemaining()) {
          frame.clear();
        }
        if (n > 0) {
          refused = 0;
        } else {
          refused++;
          LockSupport.parkNanos(500_000);
        }
        if (refused == 250) {
          other.echo(random(50_000, 1));
        }
      }

      assertThat(written).as("bounded by the buffers of the sockets").isLessThan(64L << 20);
      assertThat(PooledByteBufAllocator.DEFAULT.pinnedDirectMemory()
              + PooledByteBufAllocator.DEFAULT.pinnedHeapMemory())
          .as("what the server holds")
          .isLessThan(1 << 20);
      other.echo(random(50_000, 2));
    }
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void garbageClosesItsConnectionOnly(Transport transport) throws Exception {
    try (EchoServer server = EchoServer.builder().transport(transport).start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1);
        EchoPeer bad = EchoPeer.of(server)) {
      bad.echo((byte) 2);
      bad.socket.getOutputStream().write(new byte[] {-1, -1, -1, -1, 0, 0, 0});

      bad.expectClosed();
      good.echo((byte) 3);
      Await.until("counted", () -> server.counters().frames().bytesDiscarded() == 7);
      assertThat(server.counters().frames().framesTooLarge()).isOne();
      awaitOpen(server, 1);
    }
  }

  /** They were once read, but their replies were never flushed. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void framesBeforeABadOneAreAnswered(Transport transport) throws Exception {
    try (EchoServer server = EchoServer.builder().transport(transport).start();
        EchoPeer peer = EchoPeer.of(server)) {
      peer.socket
          .getOutputStream()
          .write(new byte[] {0, 0, 0, 1, 65, 0, 0, 0, 2, 66, 67, -1, -1, -1, -1});

      assertThat(peer.receive()).containsExactly(65);
      assertThat(peer.receive()).containsExactly(66, 67);
      assertThat(peer.receive()).isNull();
    }
  }

  @Test
  void protocolErrorIsLoggedOnceWithThePeer() throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        EchoServer server = EchoServer.builder().start();
        EchoPeer tooLarge = EchoPeer.of(server);
        EchoPeer cut = EchoPeer.of(server)) {
      tooLarge.echo().socket.getOutputStream().write(new byte[] {-1, -1, -1, -1});
      tooLarge.expectClosed();
      cut.echo().echo().socket.getOutputStream().write(new byte[] {0, 0, 0, 2, 1});
      cut.halfClose().expectClosed();
      awaitOpen(server, 0);

      assertThat(log.records)
          .containsExactly(
              "INFO frame length 4294967295 exceeds maxFrameLength 8388608 (peer "
                  + tooLarge.address() + ", frame 2)",
              "INFO stream ended inside a frame: 1 of 2 payload bytes (peer " + cut.address()
                  + ", frame 3)");
    }
  }

  /** On io_uring Netty 4.2.18 does not notice each reset; there the idle timeout ends them. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void resetOfAPeerEndsItsConnectionOnly(Transport transport) throws Exception {
    assumeTrue(transport != Transport.IO_URING);
    try (EchoServer server = EchoServer.builder().transport(transport).start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1)) {
      for (int i = 0; i < 10; i++) {
        EchoPeer bad = EchoPeer.of(server).echo((byte) 2);
        bad.socket.getOutputStream().write(new byte[] {0, 0, 0, 9, 1, 2});
        bad.reset();
      }
      awaitOpen(server, 1);

      good.echo((byte) 3);
      assertThat(server.counters().connectionsOpened()).isEqualTo(11);
    }
  }
}
