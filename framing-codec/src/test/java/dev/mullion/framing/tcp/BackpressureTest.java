package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static dev.mullion.framing.tcp.FramedServers.awaitFailed;
import static dev.mullion.framing.tcp.FramedServers.awaitStill;
import static dev.mullion.framing.tcp.FramedServers.fill;
import static java.net.StandardSocketOptions.SO_SNDBUF;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Peers that do not read, and those who send to them. */
@Timeout(60)
class BackpressureTest {
  private static final int HIGH = 64 * 1024;

  private static FramedServerBuilder bounded(FramedServerBuilder builder) {
    return builder
        .outboundLowWaterMark(16 * 1024)
        .outboundHighWaterMark(HIGH)
        .inboundHighWaterMark(HIGH)
        .option(SO_SNDBUF, 16 * 1024);
  }

  @ParameterizedTest
  @EnumSource
  void peerThatNeverReadsHoldsItsBoundOnly(Way way) throws Exception {
    try (FramedServer server = bounded(way.echo()).start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1)) {
      Socket bad = new Socket(InetAddress.getLoopbackAddress(), server.port());
      CompletableFuture<Void> sends = sendFor(bad, 1000);
      Await.until("it is not read from", () -> server.counters().readsPaused() > 0);
      if (way == Way.BLOCKING) {
        Await.until("its handler waits", () -> server.counters().sendsDelayed() > 0);
      }
      awaitStill(server);

      good.echo((byte) 2);
      // What waits for the handler and one read, what waits for the peer and the replies to a read.
      assertThat(server.memoryUsed()).isBetween(1000L, 2L * HIGH + 2 * 256 * 1024);
      bad.setSoLinger(true, 0);
      bad.close();
      assertThat(sends).failsWithin(20, TimeUnit.SECONDS);
      awaitFailed(server, 1);
      good.echo((byte) 3).close();
      awaitEmpty(server);
      assertThat(server.counters().bytesNotSent()).isPositive();
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }

  /** Sends frames of a length until the connection breaks. */
  private static CompletableFuture<Void> sendFor(Socket socket, int length) {
    return Threads.run(() -> {
      try {
        byte[] frames = new byte[(4 + length) * 50];
        for (int i = 0; i < frames.length; i += 4 + length) {
          frames[i + 2] = (byte) (length >> 8);
          frames[i + 3] = (byte) length;
        }
        while (true) {
          socket.getOutputStream().write(frames);
        }
      } catch (IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    });
  }

  @Test
  void sendersAreToldWhenThePeerGoesAway() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = bounded(FramedServer.builder().handler(connection -> {
              accepted.complete(connection);
              connection.receive();
            }))
            .start();
        EchoPeer bad = EchoPeer.of(server)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      List<CompletableFuture<Void>> sent = new ArrayList<>();
      sent.add(connection.sendAsync(new byte[8_000_000]));
      while (server.counters().sendsRefused() == 0) {
        sent.add(connection.sendAsync(new byte[1000]));
      }
      CompletableFuture<Void> blocked = Threads.run(() -> {
        try {
          connection.send(new byte[1000]);
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      String peer = bad.address();
      assertThat(sent.get(sent.size() - 1))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isInstanceOf(FrameNotSentException.class)
          .withMessageMatching("frame of 1000 bytes is not sent: 6[0-9]{4} bytes in 6[0-9] frames"
              + " are already waiting \\(outboundHighWaterMark: 65536, peer " + peer + "\\)");
      // The first one is on its way.
      assertThat(bad.socket.getInputStream().read()).isNotNegative();
      bad.reset();

      assertThat(sent.get(sent.size() - 2))
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isInstanceOf(FrameNotSentException.class)
          .withMessage("connection was closed while the frame waited for room (peer " + peer + ")");
      assertThat(blocked)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingRootCause()
          .withMessageMatching(
              ".*reset.*|connection was lost with unsent bytes \\(peer " + peer + "\\)");
      List<Throwable> lost = new ArrayList<>();
      for (CompletableFuture<Void> each : sent) {
        each.exceptionally(e -> {
              lost.add(e);
              return null;
            })
            .get(20, TimeUnit.SECONDS);
      }
      assertThat(lost).allMatch(e -> e instanceof IOException);
      assertThat(lost)
          .extracting(Throwable::getMessage)
          .contains("connection was lost while the frame was sent (peer " + peer + ")");
      awaitEmpty(server);
      assertThat(server.counters().bytesNotSent()).isPositive();
      assertThatThrownBy(() -> connection.send(new byte[1]))
          .isExactlyInstanceOf(FrameNotSentException.class)
          .hasMessage("connection is closed (peer " + peer + ")");
    }
  }

  @Test
  void whatWaitsForRoomIsSentWhenThePeerReadsAgain() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = bounded(FramedServer.builder().handler(connection -> {
              accepted.complete(connection);
              connection.receive();
            }))
            .start();
        EchoPeer peer = EchoPeer.of(server)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      final int filled = fill(connection, server, new byte[1000]);
      CompletableFuture<Void> later = connection.sendAsync(new byte[] {1});
      CompletableFuture<Void> cancelled = connection.sendAsync(new byte[] {2});
      CompletableFuture<Void> last = connection.sendAsync(new byte[] {3});
      CompletableFuture<Thread> sender = new CompletableFuture<>();
      CompletableFuture<Void> blocked = Threads.run(() -> {
        sender.complete(Thread.currentThread());
        try {
          connection.send(new byte[] {4});
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      Await.until("send waits", () -> sender.get().getState() == Thread.State.WAITING);
      assertThat(cancelled.cancel(false)).isTrue();
      assertThat(later).isNotDone();
      assertThat(blocked).isNotDone();
      assertThat(connection.trySend(new byte[] {5})).isFalse();

      for (int i = 0; i < filled; i++) {
        assertThat(peer.receive()).hasSize(1000);
      }
      assertThat(peer.receive()).containsExactly(1);
      assertThat(peer.receive()).containsExactly(3);
      assertThat(peer.receive()).containsExactly(4);
      later.get(20, TimeUnit.SECONDS);
      last.get(20, TimeUnit.SECONDS);
      blocked.get(20, TimeUnit.SECONDS);
      assertThat(connection.trySend(new byte[] {6})).isTrue();
      assertThat(peer.receive()).containsExactly(6);
      peer.halfClose();
      awaitEmpty(server);
      assertThat(server.counters().connectionsFailed()).isZero();
    }
  }

  @Test
  void sendThatWaitsCanBeInterrupted() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    CompletableFuture<Thread> sender = new CompletableFuture<>();
    try (FramedServer server = bounded(FramedServer.builder().handler(connection -> {
              accepted.complete(connection);
              connection.receive();
            }))
            .start();
        EchoPeer bad = EchoPeer.of(server)) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      fill(connection, server, new byte[1000]);
      CompletableFuture<Boolean> flag = Threads.call(() -> {
        sender.complete(Thread.currentThread());
        assertThatThrownBy(() -> {
              connection.send(new byte[1000]);
            })
            .isExactlyInstanceOf(InterruptedIOException.class)
            .hasMessage("interrupted while waiting for room; the frame is not sent");
        return Thread.interrupted();
      });
      Await.until("it waits", () -> sender.get().getState() == Thread.State.WAITING);
      sender.get().interrupt();

      assertThat(flag.get(20, TimeUnit.SECONDS)).isTrue();
      bad.reset();
      awaitEmpty(server);
    }
  }

  @Test
  void sendDoesNotWaitOnTheEventLoop() throws Exception {
    CompletableFuture<Void> filled = new CompletableFuture<>();
    try (FramedServer server = bounded(FramedServer.builder()
                .batchHandler(() -> (connection, batch) -> {
                  try {
                    while (true) {
                      connection.send(new byte[1000]);
                    }
                  } catch (IOException | IllegalStateException e) {
                    filled.completeExceptionally(e);
                  }
                }))
            .start();
        EchoPeer peer = EchoPeer.of(server).send(new byte[1])) {
      assertThat(filled)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(IllegalStateException.class)
          .withMessage("send would wait on the event loop (expected: reply, trySend or sendAsync)");
      assertThat(peer.receive()).hasSize(1000);
    }
  }

  @Test
  void replyIsForTheEventLoop() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .batchHandler(() -> (connection, batch) -> accepted.complete(connection))
            .start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      client.connection().send(new byte[1]);
      FramedConnection served = accepted.get(20, TimeUnit.SECONDS);
      for (FramedConnection each : List.of(served, client.connection())) {
        assertThatThrownBy(
                () -> each.reply(io.netty.buffer.Unpooled.wrappedBuffer(new byte[1]), 0, 1))
            .isExactlyInstanceOf(IllegalStateException.class)
            .hasMessage("reply() requires a batch handler on its event loop (expected: send,"
                + " trySend or sendAsync)");
      }
      assertThatThrownBy(served::receive)
          .isExactlyInstanceOf(IllegalStateException.class)
          .hasMessage("frames are already received by the batch handler (not by receive())");
    }
  }
}
