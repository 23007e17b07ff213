package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Many peers that each hold a part of the memory. */
@Timeout(60)
class MemoryBudgetTest {
  private static final int BUDGET = 128 * 1024;
  private static final FrameFormat FORMAT =
      FrameFormat.builder().maxFrameLength(64 * 1024).build();

  @ParameterizedTest
  @EnumSource
  void smallRequestsGoOnBesideManyPartsOfLongFrames(Way way) throws Exception {
    try (FramedServer server = way.echo().format(FORMAT).memoryBudget(BUDGET).start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1)) {
      List<EchoPeer> greedy = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        greedy.add(EchoPeer.of(server));
      }
      for (EchoPeer each : greedy) {
        // Parts of a frame that never ends.
        Threads.run(() -> {
          try {
            each.write(0, 0, 0xff, 0xff);
            each.socket.getOutputStream().write(new byte[60_000]);
          } catch (IOException closed) {
            // At the end of the test.
          }
        });
      }
      Await.until("some are paused", () -> server.counters().readsPausedForMemory() > 0);
      for (int i = 0; i < 100; i++) {
        good.echo((byte) i, (byte) 2);
        assertThat(server.memoryUsed()).isLessThan(2 * BUDGET + 16 * 12 * 1024);
      }
      for (EchoPeer each : greedy) {
        each.reset();
      }
      Await.until("memory is free again", () -> server.memoryUsed() < 1000);

      good.echo(EchoServers.random(60_000, 5)).close();
      awaitEmpty(server);
    }
  }

  /** What a long frame took is given back when it has been answered, not when its peer goes. */
  @ParameterizedTest
  @EnumSource
  void rareLongFrameLeavesNothingBehind(Way way) throws Exception {
    try (FramedServer server = way.echo().start();
        EchoPeer peer = EchoPeer.of(server).echo((byte) 1)) {
      byte[] longFrame = EchoServers.random(4 * 1024 * 1024, 7);
      CompletableFuture<Void> sent = Threads.run(() -> {
        try {
          peer.send(longFrame);
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      Await.until("it is held", () -> server.memoryUsed() > 1_000_000);
      assertThat(peer.receive()).isEqualTo(longFrame);
      sent.get(20, TimeUnit.SECONDS);

      Await.until("nothing is held", () -> server.memoryUsed() == 0);
      peer.echo((byte) 2);
      Await.until("nothing is held again", () -> server.memoryUsed() == 0);
      assertThat(server.counters().connectionsOpen()).isOne();
    }
  }

  /** More of them than there is memory for all at once. */
  @ParameterizedTest
  @EnumSource
  void longFramesOfManyAreAllAnsweredInTheEnd(Way way) throws Exception {
    try (FramedServer server = way.echo().format(FORMAT).memoryBudget(BUDGET).start()) {
      List<EchoPeer> peers = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        peers.add(EchoPeer.of(server).write(0, 0, 0xea, 0x60));
      }
      for (EchoPeer each : peers) {
        each.socket.getOutputStream().write(new byte[40_000]);
      }
      Await.until("memory is short", () -> server.counters().readsPausedForMemory() > 0);
      List<CompletableFuture<Void>> sent = new ArrayList<>();
      for (EchoPeer each : peers) {
        sent.add(Threads.run(() -> {
          try {
            each.socket.getOutputStream().write(new byte[20_000]);
          } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
          }
        }));
      }
      for (EchoPeer each : peers) {
        assertThat(each.receive()).hasSize(60_000);
        each.close();
      }
      for (CompletableFuture<Void> each : sent) {
        each.get(20, TimeUnit.SECONDS);
      }
      awaitEmpty(server);
    }
  }
}
