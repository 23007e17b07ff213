package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static dev.mullion.framing.tcp.FramedServers.awaitFailed;
import static java.net.StandardSocketOptions.SO_SNDBUF;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
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

/** Connections that are to be closed once everything is sent, and peers that do not take it. */
@Timeout(60)
class ClosingTest {
  private static final int FRAMES = 10;
  private static final byte[] FRAME = EchoServers.random(90_000, 1);
  private static final long WHOLE = FRAMES * (FRAME.length + 4L);

  /** It was kept until the idle timeout, and without one for ever. */
  @ParameterizedTest
  @EnumSource
  void halfClosedPeerThatDoesNotReadIsCutAfterTheCloseTimeout(Way way) throws Exception {
    Duration limit = Duration.ofMillis(300);
    try (FramedServer server = way.echo()
            .option(SO_SNDBUF, 16 * 1024)
            .closeTimeout(limit)
            .idleTimeout(Duration.ZERO)
            .start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1);
        EchoPeer bad = EchoPeer.of(server)) {
      for (int i = 0; i < FRAMES; i++) {
        bad.send(FRAME);
      }
      Await.until("replies wait", () -> server.memoryUsed() > WHOLE / 2);
      final long start = System.nanoTime();
      bad.halfClose();
      awaitFailed(server, 1);

      assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(limit);
      assertThat(server.counters().bytesNotSent()).isBetween(WHOLE / 2, WHOLE);
      good.echo((byte) 2).close();
      awaitEmpty(server);
      assertThat(server.counters().connectionsIdle()).isZero();
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }

  @Test
  void peerOfAHandlerThatHasReturnedIsCutAfterTheCloseTimeout() throws Exception {
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> connection.send(new byte[8_000_000]))
            .closeTimeout(Duration.ofMillis(100))
            .idleTimeout(Duration.ZERO)
            .option(SO_SNDBUF, 16 * 1024)
            .start();
        EchoPeer bad = EchoPeer.of(server)) {
      awaitFailed(server, 1);

      awaitEmpty(server);
      assertThat(server.counters().bytesNotSent()).isBetween(1_000_000L, 8_000_004L);
      assertThat(bad.socket.isConnected()).isTrue();
    }
  }

  /** All ways at once, since it takes a time. */
  @Test
  void halfClosedPeerThatReadsSlowlyGetsAllItsReplies() throws Exception {
    List<CompletableFuture<Void>> ways = new ArrayList<>();
    for (Way way : Way.values()) {
      ways.add(Threads.run(() -> {
        try {
          readSlowly(way);
        } catch (Exception e) {
          throw new IllegalStateException(way.toString(), e);
        }
      }));
    }
    for (CompletableFuture<Void> each : ways) {
      each.get(50, TimeUnit.SECONDS);
    }
  }

  /** The whole takes it far longer than the timeout; only time without progress counts. */
  private static void readSlowly(Way way) throws Exception {
    Duration limit = Duration.ofMillis(2_500);
    int frames = 2 * FRAMES;
    try (FramedServer server = way.echo()
            .option(SO_SNDBUF, 16 * 1024)
            .outboundHighWaterMark(4 * 1024 * 1024)
            .closeTimeout(limit)
            .start();
        EchoPeer slow = EchoPeer.of(server)) {
      for (int i = 0; i < frames; i++) {
        slow.send(FRAME);
      }
      final long start = System.nanoTime();
      slow.halfClose();
      for (int i = 0; i < frames; i++) {
        LockSupport.parkNanos(limit.toNanos() / 9);
        assertThat(slow.receive()).isEqualTo(FRAME);
      }
      assertThat(slow.receive()).isNull();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isGreaterThan(limit.multipliedBy(2));
      awaitEmpty(server);
      assertThat(server.counters().connectionsFailed()).isZero();
      assertThat(server.counters().bytesNotSent()).isZero();
    }
  }
}
