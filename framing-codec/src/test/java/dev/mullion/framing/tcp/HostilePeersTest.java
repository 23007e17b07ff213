package dev.mullion.framing.tcp;

import static dev.mullion.framing.tcp.FramedServers.awaitEmpty;
import static dev.mullion.framing.tcp.FramedServers.awaitFailed;
import static dev.mullion.framing.tcp.FramedServers.awaitOpen;
import static java.net.StandardSocketOptions.SO_SNDBUF;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Await;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Peers that break off or break the format, and what the others notice of them: nothing. */
@Timeout(60)
class HostilePeersTest {
  /** How many frames a peer sends without reading. */
  private static final int UNREAD = 10;

  @ParameterizedTest
  @EnumSource
  void resetInsideAFrameEndsThatConnectionOnly(Way way) throws Exception {
    try (FramedServer server = way.echo().start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1)) {
      for (int i = 0; i < 10; i++) {
        EchoPeer bad = EchoPeer.of(server).echo((byte) 2);
        bad.write(0, 0, 0, 9, 1, 2);
        Await.until("the part has come", () -> server.memoryUsed() >= 2);
        bad.reset();
        awaitOpen(server, 1);
      }
      good.echo((byte) 3);

      awaitFailed(server, 10);
      assertThat(server.counters().handlersFailed()).isZero();
      Await.until("12 are counted", () -> server.counters().frames().framesDecoded() == 12);
      Await.until("no memory is held", () -> server.memoryUsed() == 0);
    }
  }

  @Test
  void receiveThrowsWhenItsPeerResets() throws Exception {
    CompletableFuture<Boolean> entered = new CompletableFuture<>();
    CompletableFuture<byte[]> received = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
        .handler(connection -> {
          // A connection that breaks before it has a thread is not served at all.
          entered.complete(true);
          try {
            received.complete(connection.receive());
          } catch (IOException e) {
            received.completeExceptionally(e);
          }
        })
        .start()) {
      EchoPeer bad = EchoPeer.of(server).write(0, 0, 0, 9, 1, 2);
      Await.until("the part has come", () -> server.memoryUsed() >= 2 && entered.isDone());
      String address = bad.address();
      bad.reset();

      assertThat(received)
          .failsWithin(20, TimeUnit.SECONDS)
          .withThrowableThat()
          .havingCause()
          .isExactlyInstanceOf(IOException.class)
          .withMessage("connection is closed (peer " + address + ")")
          .havingRootCause()
          .withMessageContaining("reset");
      awaitEmpty(server);
      awaitFailed(server, 1);
      Await.until("it is counted", () -> server.counters().bytesNotHandled() == 6);
    }
  }

  @ParameterizedTest
  @EnumSource
  void halfClosedPeerGetsAllItsReplies(Way way) throws Exception {
    byte[] frame = EchoServers.random(100_000, 1);
    try (FramedServer server = way.echo().start();
        EchoPeer peer = EchoPeer.of(server)) {
      CompletableFuture<Void> sent = dev.mullion.framing.testing.Threads.run(() -> {
        try {
          for (int i = 0; i < 50; i++) {
            peer.send(frame);
          }
          peer.halfClose();
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      for (int i = 0; i < 50; i++) {
        assertThat(peer.receive()).isEqualTo(frame);
      }
      assertThat(peer.receive()).isNull();
      sent.get(20, TimeUnit.SECONDS);
      awaitEmpty(server);
      assertThat(server.counters().connectionsFailed()).isZero();
      assertThat(server.counters().bytesNotSent()).isZero();
    }
  }

  /**
   * Its end was seen with replies still to send; over epoll the socket could not wait for room
   * then.
   */
  @ParameterizedTest
  @EnumSource
  void halfClosedPeerThatReadsLateGetsAllItsReplies(Way way) throws Exception {
    byte[] frame = EchoServers.random(90_000, 2);
    try (FramedServer server = way.echo()
            .option(SO_SNDBUF, 16 * 1024)
            .outboundHighWaterMark(4 * 1024 * 1024)
            .start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1);
        EchoPeer late = EchoPeer.of(server)) {
      sendUnread(late, frame, server);
      late.halfClose();
      good.echo((byte) 2);

      for (int i = 0; i < UNREAD; i++) {
        assertThat(late.receive()).isEqualTo(frame);
      }
      assertThat(late.receive()).isNull();
      awaitOpen(server, 1);
      good.echo((byte) 3);
      assertThat(server.counters().connectionsFailed()).isZero();
      assertThat(server.counters().bytesNotSent()).isZero();
    }
  }

  /** Sends frames and reads no reply, so that the server has some of them to keep. */
  private static void sendUnread(EchoPeer peer, byte[] frame, FramedServer server)
      throws Exception {
    long before = server.counters().frames().bytesDecoded();
    Await.until("no memory is held", () -> server.memoryUsed() == 0);
    for (int i = 0; i < UNREAD; i++) {
      peer.send(frame);
    }
    Await.until(
        "all has come",
        () -> server.counters().frames().bytesDecoded() - before > UNREAD * (long) frame.length);
    long whole = UNREAD * (frame.length + 4L);
    Await.until("half of it cannot be sent", () -> server.memoryUsed() > whole / 2);
    // One may be counted as received and as to be sent.
    assertThat(server.memoryUsed()).isLessThan(whole + 2L * frame.length);
  }

  @ParameterizedTest
  @EnumSource
  void peerThatGoesWithRepliesQueuedEndsItsConnectionOnly(Way way) throws Exception {
    byte[] frame = EchoServers.random(90_000, 3);
    try (FramedServer server = way.echo()
            .option(SO_SNDBUF, 16 * 1024)
            .outboundHighWaterMark(4 * 1024 * 1024)
            .start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1);
        EchoPeer resets = EchoPeer.of(server);
        EchoPeer closes = EchoPeer.of(server)) {
      sendUnread(resets, frame, server);
      resets.reset();
      awaitFailed(server, 1);
      good.echo((byte) 2);
      long notSent = server.counters().bytesNotSent();
      assertThat(notSent).isBetween(1L, UNREAD * (frame.length + 1000L));

      sendUnread(closes, frame, server);
      closes.socket.close();
      awaitFailed(server, 2);
      good.echo((byte) 3);
      assertThat(server.counters().bytesNotSent() - notSent)
          .isBetween(1L, UNREAD * (frame.length + 1000L));
      assertThat(server.counters().handlersFailed()).isZero();
      Await.until("no memory is held", () -> server.memoryUsed() == 0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void garbageEndsTheConnectionBehindTheRepliesBeforeIt(Way way) throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = way.echo().closeTimeout(Duration.ofMillis(200)).start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1);
        EchoPeer bad = EchoPeer.of(server)) {
      bad.write(0, 0, 0, 1, 65, 0, 0, 0, 2, 66, 67, 'G', 'E', 'T', ' ', '/');

      assertThat(bad.receive()).containsExactly(65);
      assertThat(bad.receive()).containsExactly(66, 67);
      bad.expectClosed();
      awaitOpen(server, 1);
      good.echo((byte) 2);
      assertThat(log.records)
          .containsExactly("INFO frame length 1195725856 exceeds maxFrameLength 8388608 (peer "
              + bad.address() + ", frame 3)");
      awaitFailed(server, 1);
      assertThat(server.counters().handlersFailed()).isZero();
      assertThat(server.counters().frames().framesTooLarge()).isOne();
      Await.until("no memory is held", () -> server.memoryUsed() == 0);
    }
  }

  @ParameterizedTest
  @EnumSource
  void endInsideAFrameIsNoCleanEnd(Way way) throws Exception {
    try (FramedServers.Log log = new FramedServers.Log();
        FramedServer server = way.echo().start();
        EchoPeer bad = EchoPeer.of(server)) {
      bad.echo((byte) 1).write(0, 0, 0, 11, 1, 2, 3).halfClose().expectClosed();
      awaitEmpty(server);

      assertThat(log.records)
          .containsExactly("INFO stream ended inside a frame: 3 of 11 payload bytes (peer "
              + bad.address() + ", frame 2)");
      awaitFailed(server, 1);
    }
  }

  @Test
  void blockingHandlerIsToldWhatIsWrong() throws Exception {
    CompletableFuture<FramingException> seen = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              connection.receive();
              try {
                connection.receive();
              } catch (FramingException e) {
                seen.complete(e);
                throw e;
              }
            })
            .start();
        EchoPeer bad = EchoPeer.of(server)) {
      bad.write(0, 0, 0, 1, 65, -1, -1, -1, -1).expectClosed();

      assertThat(seen.get(20, TimeUnit.SECONDS))
          .isInstanceOf(FrameTooLargeException.class)
          .hasMessage("frame length 4294967295 exceeds maxFrameLength 8388608 (peer "
              + bad.address() + ", frame 2)");
      awaitEmpty(server);
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void nothingIsLeftOfManyShortConnections(Way way) throws Exception {
    try (FramedServer server = way.echo().start();
        EchoPeer good = EchoPeer.of(server).echo((byte) 1)) {
      for (int i = 0; i < 600; i++) {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
          if (i % 4 == 1) {
            socket.getOutputStream().write(new byte[] {0, 0});
          } else if (i % 4 == 2) {
            socket.getOutputStream().write(new byte[] {0, 0, 0, 1, 7});
          } else if (i % 4 == 3) {
            socket.setSoLinger(true, 0);
          }
        }
      }
      good.echo((byte) 2).close();
      Await.until("all are seen", () -> server.counters().connectionsOpened() > 590);
      awaitEmpty(server);
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  @SuppressWarnings("try") // It is closed earlier.
  void connectionBeyondTheMostIsClosedAndItsPlaceIsFreeAgain(Way way) throws Exception {
    try (FramedServer server = way.echo().maxConnections(2).start();
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
}
