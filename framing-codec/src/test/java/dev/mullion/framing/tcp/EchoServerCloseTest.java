package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.EchoServers.awaitNoThreads;
import static dev.mullion.framing.tcp.EchoServers.awaitOpen;
import static dev.mullion.framing.tcp.EchoServers.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class EchoServerCloseTest {
  private static final String TRANSPORTS = "dev.mullion.framing.tcp.EchoServers#transports";

  @AfterEach
  void nothingIsLeftRunning() throws Exception {
    awaitNoThreads();
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void whatWasReceivedIsAnswered(Transport transport) throws Exception {
    for (int round = 0; round < 10; round++) {
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

      server.close();

      for (EchoPeer peer : peers) {
        for (int i = 0; i < 100; i++) {
          assertThat(peer.receive()).isEqualTo(random(i * 5, i));
        }
        assertThat(peer.receive()).isNull();
        peer.close();
      }
      assertThat(server.counters().connectionsCut()).isZero();
      assertThat(server.counters().connectionsOpen()).isZero();
      assertThat(server.counters().frames().framesDecoded()).isEqualTo(505);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {500, 200_000})
  void peerThatKeepsSendingGetsWholeRepliesAndACleanEnd(int length) throws Exception {
    EchoServer server = EchoServer.builder().closeTimeout(Duration.ofSeconds(2)).start();
    EchoPeer peer = EchoPeer.of(server).echo((byte) 1);
    CompletableFuture<Void> sender = CompletableFuture.runAsync(() -> {
      try {
        for (int i = 0; ; i++) {
          peer.send(random(length, i));
        }
      } catch (IOException closed) {
        // Sends until the connection is closed.
      }
    });
    CompletableFuture<Integer> received = CompletableFuture.supplyAsync(() -> {
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
      CompletableFuture<Void> closing = CompletableFuture.runAsync(server::close);
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

  /** Peers that have something to say are heard to the end, those that come too late are not. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void stopsUnderLoad(Transport transport) throws Exception {
    for (int round = 0; round < 20; round++) {
      EchoServer server = EchoServer.builder().transport(transport).start();
      CountDownLatch served = new CountDownLatch(3);
      List<CompletableFuture<Void>> peers = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        peers.add(CompletableFuture.runAsync(() -> echoMany(server, served)));
      }
      CompletableFuture<Void> late = CompletableFuture.runAsync(() -> connectUntilRefused(server));
      served.await();
      int frames = 10 * round;
      Await.until("frames", () -> server.counters().frames().framesDecoded() >= frames);

      server.close();

      for (CompletableFuture<Void> peer : peers) {
        peer.get();
      }
      late.get();
      assertThat(server.isTerminated()).isTrue();
      assertThat(server.counters().connectionsOpen()).isZero();
      assertThat(server.counters().connectionsCut()).isZero();
    }
  }

  private static void echoMany(EchoServer server, CountDownLatch served) {
    try (EchoPeer peer = EchoPeer.of(server).echo()) {
      served.countDown();
      for (int i = 0; i < 300; i++) {
        peer.echo(random(1000, i));
      }
      assertThat(peer.receive()).isNull();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** What connects while the server closes is answered or closed, never answered in part. */
  private static void connectUntilRefused(EchoServer server) {
    try {
      for (int i = 0; ; i++) {
        try (EchoPeer peer = EchoPeer.of(server).send(random(1000, i))) {
          byte[] reply = peer.receive();
          if (reply != null) {
            assertThat(reply).isEqualTo(random(1000, i));
          }
        }
      }
    } catch (IOException refusedOrReset) {
      assertThat(refusedOrReset).isInstanceOf(SocketException.class);
    }
  }

  @Test
  void quietConnectionsDoNotHoldItUp() throws Exception {
    EchoServer server =
        EchoServer.builder().closeTimeout(Duration.ofMinutes(10)).start();
    try (EchoPeer peer = EchoPeer.of(server).echo((byte) 1);
        EchoPeer silent = EchoPeer.of(server)) {
      awaitOpen(server, 2);

      server.close();

      assertThat(peer.receive()).isNull();
      assertThat(silent.receive()).isNull();
      assertThat(server.counters().connectionsCut()).isZero();
    }
  }

  @Test
  void noMoreConnectionsAreTaken() throws Exception {
    EchoServer server = EchoServer.builder().start();

    server.close();

    assertThatThrownBy(() -> EchoPeer.of(server)).isInstanceOf(ConnectException.class);
    try (EchoServer next = EchoServer.builder().port(server.port()).start();
        EchoPeer peer = EchoPeer.of(next)) {
      peer.echo((byte) 1);
    }
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void peerThatDoesNotReadIsCutAtTheTimeout(Transport transport) throws Exception {
    EchoServer server = EchoServer.builder()
        .transport(transport)
        .closeTimeout(Duration.ofMillis(300))
        .start();
    try (EchoPeer deaf = EchoPeer.of(server);
        EchoPeer good = EchoPeer.of(server).echo((byte) 1)) {
      CompletableFuture<Void> sender = CompletableFuture.runAsync(() -> {
        try {
          for (int i = 0; i < 1000; i++) {
            deaf.send(random(100_000, i));
          }
        } catch (IOException cut) {
          // As expected: nobody reads the replies.
        }
      });
      Await.until("replies", () -> server.counters().frames().framesEncoded() > 2);

      long start = System.nanoTime();
      server.close();

      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(Duration.ofMillis(250), Duration.ofSeconds(10));
      assertThat(server.counters().connectionsCut()).isOne();
      assertThat(good.receive()).isNull();
      sender.get();
    }
  }

  @Test
  void timeoutOfZeroCutsAtOnce() throws Exception {
    EchoServer server = EchoServer.builder().closeTimeout(Duration.ZERO).start();
    try (EchoPeer peer = EchoPeer.of(server).echo((byte) 1)) {
      server.close();

      peer.expectClosed();
      assertThat(server.counters().connectionsCut()).isOne();
    }
  }

  @Test
  void maySafelyBeRepeated() throws Exception {
    EchoServer server = EchoServer.builder().start();
    try (EchoPeer peer = EchoPeer.of(server).echo((byte) 1)) {
      server.close();
      server.close();

      assertThat(server.isTerminated()).isTrue();
      assertThat(peer.receive()).isNull();
    }
  }

  @Test
  void callsAtTheSameTimeAllWaitForTheEnd() throws Exception {
    for (int round = 0; round < 20; round++) {
      EchoServer server = EchoServer.builder().eventLoopThreads(2).start();
      try (EchoPeer peer = EchoPeer.of(server).echo((byte) 1)) {
        peer.send(random(100, 1));
        List<CompletableFuture<Boolean>> calls = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          calls.add(CompletableFuture.supplyAsync(() -> {
            server.close();
            return server.isTerminated();
          }));
        }
        for (CompletableFuture<Boolean> call : calls) {
          assertThat(call.get()).isTrue();
        }
        assertThat(peer.receive()).isEqualTo(random(100, 1));
        assertThat(peer.receive()).isNull();
        assertThat(server.counters().connectionsCut()).isZero();
      }
    }
  }

  @Test
  void interruptedCallCutsAndKeepsTheFlag() throws Exception {
    EchoServer server =
        EchoServer.builder().closeTimeout(Duration.ofMinutes(10)).start();
    try (EchoPeer peer = EchoPeer.of(server).echo((byte) 1)) {
      Thread.currentThread().interrupt();
      server.close();

      assertThat(Thread.interrupted()).isTrue();
      assertThat(server.isTerminated()).isTrue();
      assertThat(server.counters().connectionsCut()).isOne();
      peer.expectClosed();
    }
  }

  @Test
  void callThatIsInterruptedWhileItWaitsCuts() throws Exception {
    EchoServer server =
        EchoServer.builder().closeTimeout(Duration.ofMinutes(10)).start();
    try (EchoPeer deaf = EchoPeer.of(server)) {
      CompletableFuture<Void> sender = CompletableFuture.runAsync(() -> {
        try {
          for (int i = 0; i < 1000; i++) {
            deaf.send(random(100_000, i));
          }
        } catch (IOException cut) {
          // As expected: nobody reads the replies.
        }
      });
      Await.until("replies", () -> server.counters().frames().framesEncoded() > 2);
      boolean[] flag = {false};
      Thread closer = new Thread(() -> {
        server.close();
        flag[0] = Thread.currentThread().isInterrupted();
      });
      closer.start();
      Await.until("it waits", () -> closer.getState() == Thread.State.TIMED_WAITING);

      closer.interrupt();
      closer.join();

      assertThat(flag[0]).isTrue();
      assertThat(server.isTerminated()).isTrue();
      assertThat(server.counters().connectionsCut()).isOne();
      sender.get();
    }
  }

  /** The server's thread runs no code of its user's but that of a logging handler. */
  @Test
  @SuppressWarnings("try") // It is closed earlier.
  void callByTheServersOwnThreadIsRefused() throws Exception {
    Logger logger = Logger.getLogger("dev.mullion.framing.tcp");
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    CountDownLatch called = new CountDownLatch(1);
    try (EchoServer server = EchoServer.builder().start();
        EchoPeer peer = EchoPeer.of(server)) {
      Handler closes = new Handler() {
        @Override
        public void publish(LogRecord entry) {
          try {
            server.close();
          } catch (IllegalStateException e) {
            thrown.set(e);
          }
          called.countDown();
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };
      logger.addHandler(closes);
      try {
        peer.socket.getOutputStream().write(new byte[] {-1, -1, -1, -1});
        called.await();
      } finally {
        logger.removeHandler(closes);
      }

      assertThat(thrown.get())
          .isExactlyInstanceOf(IllegalStateException.class)
          .hasMessage("close() called by the server's own thread");
      assertThat(server.isTerminated()).isFalse();
    }
  }

  @Test
  void terminationIsAwaited() throws Exception {
    EchoServer server = EchoServer.builder().start();
    assertThat(server.awaitTermination(Duration.ZERO)).isFalse();
    assertThat(server.awaitTermination(Duration.ofMillis(1))).isFalse();
    CompletableFuture<Void> waits = CompletableFuture.runAsync(() -> {
      try {
        server.awaitTermination();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    });

    server.close();

    waits.get();
    assertThat(server.awaitTermination(Duration.ZERO)).isTrue();
    assertThat(server.isTerminated()).isTrue();
  }
}
