package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.EchoServers.awaitNoThreads;
import static dev.mullion.framing.tcp.EchoServers.awaitOpen;
import static dev.mullion.framing.tcp.EchoServers.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.net.ConnectException;
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

@Timeout(60)
class EchoServerCloseTest {
  @AfterEach
  void nothingIsLeftRunning() throws Exception {
    awaitNoThreads();
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

  @Test
  void peerThatDoesNotReadIsCutAtTheTimeout() throws Exception {
    Threads.forEach(
        EchoServers.transports().toList(), EchoServerCloseTest::peerThatDoesNotReadIsCut);
  }

  private static void peerThatDoesNotReadIsCut(Transport transport) throws Exception {
    EchoServer server = EchoServer.builder()
        .transport(transport)
        .closeTimeout(Duration.ofSeconds(3))
        .start();
    try (EchoPeer deaf = EchoPeer.of(server);
        EchoPeer good = EchoPeer.of(server).echo((byte) 1)) {
      CompletableFuture<Void> sender = Threads.run(() -> {
        try {
          for (int i = 0; i < 1000; i++) {
            deaf.send(random(100_000, i));
          }
        } catch (IOException cut) {
          // As expected: nobody reads the replies.
        }
      });
      Await.until("replies wait", () -> server.counters().readsPaused() > 0);

      long start = System.nanoTime();
      server.close();

      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(Duration.ofMillis(2900), Duration.ofSeconds(20));
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
    for (int round = 0; round < EchoServers.STOP_ROUNDS; round++) {
      EchoServer server = EchoServer.builder().eventLoopThreads(2).start();
      try (EchoPeer peer = EchoPeer.of(server).echo((byte) 1)) {
        peer.send(random(100, 1));
        List<CompletableFuture<Boolean>> calls = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          calls.add(Threads.call(() -> {
            server.close();
            return server.isTerminated();
          }));
        }
        assertThat(peer.receive()).isEqualTo(random(100, 1));
        assertThat(peer.receive()).isNull();
        peer.halfClose();
        for (CompletableFuture<Boolean> call : calls) {
          assertThat(call.get()).isTrue();
        }
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
      CompletableFuture<Void> sender = Threads.run(() -> {
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
    CompletableFuture<Void> waits = Threads.run(() -> {
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
