package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.EchoServers.STOP_ROUNDS;
import static dev.mullion.framing.tcp.EchoServers.awaitNoThreads;
import static dev.mullion.framing.tcp.EchoServers.random;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What happens to the frames that are under way when the server closes. */
@Timeout(60)
class EchoServerDrainTest {
  private static final String TRANSPORTS = "dev.mullion.framing.tcp.EchoServers#transports";

  @AfterEach
  void nothingIsLeftRunning() throws Exception {
    awaitNoThreads();
  }

  /** In the first round nobody reads, nor ends, before the server has closed. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void whatWasReceivedIsAnswered(Transport transport) throws Exception {
    for (int round = 0; round < STOP_ROUNDS; round++) {
      List<EchoPeer> peers = new ArrayList<>();
      EchoServer server = EchoServer.builder().transport(transport).start();
      for (int i = 0; i < 5; i++) {
        peers.add(EchoPeer.of(server).echo((byte) i));
      }
      for (EchoPeer peer : peers) {
        for (int i = 0; i < 100; i++) {
          peer.send(random(i * 5, i));
        }
      }

      CompletableFuture<Void> closing = Threads.run(server::close);
      if (round == 0) {
        closing.get();
      }

      for (EchoPeer peer : peers) {
        for (int i = 0; i < 100; i++) {
          assertThat(peer.receive()).isEqualTo(random(i * 5, i));
        }
        assertThat(peer.receive()).isNull();
        peer.close();
      }
      closing.get();
      assertThat(server.counters().connectionsCut()).isZero();
      assertThat(server.counters().connectionsOpen()).isZero();
      assertThat(server.counters().frames().framesDecoded()).isEqualTo(505);
    }
  }

  @Test
  void peerThatKeepsSendingGetsWholeRepliesAndACleanEnd() throws Exception {
    Threads.forEach(List.of(500, 200_000), EchoServerDrainTest::keepSending);
  }

  private static void keepSending(int length) throws Exception {
    EchoServer server = EchoServer.builder().closeTimeout(Duration.ofSeconds(6)).start();
    EchoPeer peer = EchoPeer.of(server).echo((byte) 1);
    CompletableFuture<Void> sender = Threads.run(() -> {
      try {
        for (int i = 0; ; i++) {
          peer.send(random(length, i));
        }
      } catch (IOException closed) {
        // Sends until the connection is closed.
      }
    });
    CompletableFuture<Integer> received = Threads.call(() -> {
      try (peer) {
        int frames = 0;
        for (byte[] reply = peer.receive(); reply != null; reply = peer.receive()) {
          assertThat(reply).isEqualTo(random(length, frames++));
        }
        return frames;
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    });
    Await.until("some frames", () -> server.counters().frames().framesDecoded() > 100);

    server.close();

    assertThat(received.get()).isGreaterThan(100);
    sender.get();
    assertThat(server.counters().connectionsCut()).isZero();
  }

  /** It once closed after 20 ms without a byte, though a frame was half echoed. */
  @Test
  void longFrameIsEchoedToItsEndWhileTheServerStops() throws Exception {
    EchoServer server = EchoServer.builder().start();
    byte[] wire = new byte[4 + 1_000_000];
    wire[1] = 0x0F;
    wire[2] = 0x42;
    wire[3] = 0x40;
    try (Socket socket = new Socket(server.address().getAddress(), server.port())) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(wire, 0, 600_000);
      Await.until(
          "what was sent is echoed", () -> server.counters().frames().bytesDecoded() == 600_000);
      CompletableFuture<Void> closing = Threads.run(server::close);
      long start = System.nanoTime();
      Await.until("a pause that a network may make", () -> System.nanoTime() - start > 200_000_000);

      socket.getOutputStream().write(wire, 600_000, wire.length - 600_000);
      assertThat(socket.getInputStream().readNBytes(wire.length)).isEqualTo(wire);
      assertThat(socket.getInputStream().read()).isEqualTo(-1);
      closing.get();
    }
    assertThat(server.counters().connectionsCut()).isZero();
    assertThat(server.counters().frames().framesDecoded()).isEqualTo(1);
  }

  /**
   * Every frame that was accepted is answered, and then there is a clean end: also for a peer that
   * was still for so long, on a busy machine, that it seemed to have said everything.
   */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void stopsUnderLoad(Transport transport) throws Exception {
    for (int round = 0; round < STOP_ROUNDS; round++) {
      EchoServer server = EchoServer.builder().transport(transport).start();
      CountDownLatch served = new CountDownLatch(3);
      LongAdder answered = new LongAdder();
      List<CompletableFuture<Void>> peers = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        peers.add(Threads.run(() -> echoMany(server, served, answered)));
      }
      CompletableFuture<Void> late = Threads.run(() -> connectUntilRefused(server, answered));
      served.await();
      int frames = 25 * round;
      Await.until("frames", () -> server.counters().frames().framesDecoded() >= frames);

      server.close();

      for (CompletableFuture<Void> peer : peers) {
        peer.get();
      }
      late.get();
      assertThat(server.isTerminated()).isTrue();
      assertThat(server.counters().connectionsOpen()).isZero();
      assertThat(server.counters().connectionsCut()).isZero();
      assertThat(answered.sum()).isEqualTo(server.counters().frames().framesDecoded());
    }
  }

  /** They were once cut, or held the closing up to its timeout. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void connectionsThatWereJustAcceptedAreClosedLikeOthers(Transport transport) throws Exception {
    for (int round = 0; round < STOP_ROUNDS; round++) {
      EchoServer server = EchoServer.builder()
          .transport(transport)
          .eventLoopThreads(4)
          .closeTimeout(Duration.ofMinutes(1))
          .start();
      List<EchoPeer> peers = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        peers.add(EchoPeer.of(server));
      }

      server.close();

      for (EchoPeer peer : peers) {
        peer.expectClosed();
        peer.close();
      }
      assertThat(server.counters().connectionsCut()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void connectionsThatWereJustAcceptedAreClosedWithoutTimeToo(Transport transport)
      throws Exception {
    for (int round = 0; round < STOP_ROUNDS; round++) {
      EchoServer server = EchoServer.builder()
          .transport(transport)
          .eventLoopThreads(4)
          .closeTimeout(Duration.ZERO)
          .start();
      List<EchoPeer> peers = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        peers.add(EchoPeer.of(server));
      }

      boolean interrupted = round % 2 == 0;
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      server.close();

      assertThat(Thread.interrupted()).isEqualTo(interrupted);
      for (EchoPeer peer : peers) {
        peer.expectClosed();
        peer.close();
      }
      assertThat(server.counters().connectionsOpen()).isZero();
    }
  }

  private static void echoMany(EchoServer server, CountDownLatch served, LongAdder answered) {
    try (EchoPeer peer = EchoPeer.of(server).echo()) {
      answered.increment();
      served.countDown();
      byte[] reply = {};
      for (int i = 0; i < 300 && reply != null; i++) {
        reply = peer.send(random(1000, i)).receive();
        if (reply != null) {
          assertThat(reply).isEqualTo(random(1000, i));
          answered.increment();
        }
      }
      assertThat(peer.receive()).isNull();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** What connects while the server closes is answered or closed, never answered in part. */
  private static void connectUntilRefused(EchoServer server, LongAdder answered) {
    try {
      for (int i = 0; ; i++) {
        try (EchoPeer peer = EchoPeer.of(server).send(random(1000, i))) {
          byte[] reply = peer.receive();
          if (reply != null) {
            assertThat(reply).isEqualTo(random(1000, i));
            answered.increment();
          }
        }
      }
    } catch (IOException refusedOrReset) {
      assertThat(refusedOrReset).isInstanceOf(SocketException.class);
    }
  }
}
