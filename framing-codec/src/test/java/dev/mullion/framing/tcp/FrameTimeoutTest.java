package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitFailed;
import static dev.mullion.framing.tcp.FramedServers.awaitOpen;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Peers that take their time, within a frame and between two. */
@Timeout(60)
class FrameTimeoutTest {
  private static final Duration LIMIT = Duration.ofMillis(300);

  @ParameterizedTest
  @EnumSource
  void peerThatDripsAFrameIsClosed(Way way) throws Exception {
    try (FramedServer server = way.echo().frameTimeout(LIMIT).start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1);
        EchoPeer bad = EchoPeer.of(server).echo((byte) 2)) {
      long start = System.nanoTime();
      bad.write(0, 0, 1, 0);
      drip(bad, server, good);

      assertThat(Duration.ofNanos(System.nanoTime() - start))
          .isBetween(LIMIT, Duration.ofSeconds(20));
      bad.expectClosed();
      assertThat(server.counters().framesTimedOut()).isOne();
      awaitFailed(server, 1);
      assertThat(server.counters().connectionsIdle()).isZero();
      assertThat(server.counters().handlersFailed()).isZero();
      Await.until("no memory is held", () -> server.memoryUsed() == 0);
    }
  }

  /** Sends a byte now and then until only the good peer is left, which goes on. */
  private static void drip(EchoPeer bad, FramedServer server, EchoPeer good) throws Exception {
    Await.until("it is closed", () -> {
      try {
        bad.write(7);
      } catch (IOException closed) {
        // It is looked for in what the server says.
      }
      good.echo((byte) 3);
      LockSupport.parkNanos(10_000_000);
      return server.counters().connectionsOpen() == 1;
    });
  }

  @Test
  void peerThatIsSlowBetweenFramesIsNotClosed() throws Exception {
    Threads.forEach(List.of(Way.values()), FrameTimeoutTest::isSlowBetweenFrames);
  }

  private static void isSlowBetweenFrames(Way way) throws Exception {
    try (FramedServer server = way.echo().frameTimeout(Duration.ofSeconds(1)).start();
        EchoPeer slow = EchoPeer.of(server).echo((byte) 1);
        EchoPeer silent = EchoPeer.of(server);
        EchoPeer bad = EchoPeer.of(server).write(0, 0)) {
      // As long as it takes to close another one.
      bad.expectClosed();
      slow.write(0, 0).write(0, 1).write(9);
      assertThat(slow.receive()).containsExactly(9);
      slow.echo((byte) 2);
      silent.echo((byte) 4);
      assertThat(server.counters().framesTimedOut()).isOne();
    }
  }

  @Test
  void announcedLengthReservesNothing() throws Exception {
    Threads.forEach(List.of(Way.values()), FrameTimeoutTest::announceALength);
  }

  private static void announceALength(Way way) throws Exception {
    int count = 10; // They must all be there at once for a moment.
    try (FramedServer server = way.echo().frameTimeout(Duration.ofSeconds(2)).start();
        EchoPeer good = EchoPeer.of(server)) {
      List<EchoPeer> peers =
          new ArrayList<>(); // One that nobody knew would be collected, and closed.
      for (int i = 0; i < count; i++) {
        peers.add(EchoPeer.of(server).write(0, 0x80, 0, 0, 1));
      }
      awaitOpen(server, count + 1);
      Await.until("all bytes have come", () -> server.memoryUsed() >= 5L * count);
      assertThat(server.memoryUsed()).isLessThanOrEqualTo(count * (2 * 5 + 4096L));

      for (int i = 0; server.counters().connectionsOpen() > 1; i++) {
        good.echo((byte) i);
      }
      Await.until("no memory is held", () -> server.memoryUsed() == 0);
      assertThat(server.counters().framesTimedOut()).isEqualTo(count);
      for (EchoPeer peer : peers) {
        peer.close();
      }
    }
  }

  @Test
  void receiveSaysThatTheFrameTimedOut() throws Exception {
    CompletableFuture<byte[]> received = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .frameTimeout(Duration.ofMillis(100))
            .handler(connection -> {
              try {
                received.complete(connection.receive());
              } catch (IOException e) {
                received.completeExceptionally(e);
              }
            })
            .start();
        EchoPeer bad = EchoPeer.of(server).write(0, 0, 0)) {
      assertThat(received)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(IOException.class)
          .withMessage("connection is closed (peer " + bad.address() + ")")
          .havingRootCause()
          .withMessageMatching(
              "frame is not complete after [1-9][0-9]{2,4} ms \\(frameTimeout: 100 ms," + " peer "
                  + bad.address() + "\\)");
    }
  }

  /** The rest of the frame waits in the inbox and in the kernel while the handler is busy. */
  @Test
  void timeOfABusyHandlerDoesNotCount() throws Exception {
    CompletableFuture<Void> go = new CompletableFuture<>();
    byte[] frame = EchoServers.random(300_000, 2);
    try (FramedServer server = FramedServer.builder()
            .frameTimeout(Duration.ofSeconds(1))
            .eventLoopThreads(1)
            .inboundHighWaterMark(1024)
            .handler(connection -> {
              int count = 0;
              for (byte[] received : connection) {
                if (++count == 2) {
                  go.get();
                }
                connection.send(received);
              }
            })
            .start();
        EchoPeer peer = EchoPeer.of(server).echo((byte) 1)) {
      CompletableFuture<Void> sent = Threads.run(() -> {
        try {
          peer.send(frame, frame);
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      Await.until("it is not read from", () -> server.counters().readsPaused() > 0);
      try (EchoPeer bad = EchoPeer.of(server).write(0, 0)) {
        bad.expectClosed();
      }
      go.complete(null);

      assertThat(peer.receive()).isEqualTo(frame);
      sent.get(20, TimeUnit.SECONDS);
      assertThat(server.counters().framesTimedOut()).isOne();
    }
  }

  /** While its peer does not take the replies, a batch connection is not read from. */
  @Test
  void timeInWhichNothingIsReadDoesNotCount() throws Exception {
    byte[] frame = EchoServers.random(100_000, 3);
    try (FramedServer server = Way.BATCH
            .echo()
            .frameTimeout(Duration.ofSeconds(1))
            .eventLoopThreads(1)
            .outboundHighWaterMark(64 * 1024)
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      int count = 200;
      CompletableFuture<Void> sent = Threads.run(() -> {
        try {
          for (int i = 0; i < count; i++) {
            peer.send(frame);
          }
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      Await.until("it is not read from", () -> server.counters().readsPaused() > 0);
      // On the same event loop, which looks at all its connections at once.
      try (EchoPeer bad = EchoPeer.of(server).write(0, 0)) {
        bad.expectClosed();
      }

      for (int i = 0; i < count; i++) {
        assertThat(peer.receive()).isEqualTo(frame);
      }
      sent.get(20, TimeUnit.SECONDS);
      assertThat(server.counters().framesTimedOut()).isOne();
    }
  }
}
