package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The same echo handler in the three ways, and what a client sees of it. */
class FramedServerTest {
  /** The ways to write a handler. */
  enum Way {
    BLOCKING,
    BATCH,
    REACTIVE;

    FramedServerBuilder echo() {
      FramedServerBuilder builder = FramedServer.builder();
      return switch (this) {
        case BLOCKING ->
          builder.handler(connection -> {
            for (byte[] frame : connection) {
              connection.send(frame);
            }
          });
        case BATCH -> builder.batchHandler(() -> FramedServerTest::reply);
        case REACTIVE ->
          builder.reactiveHandler(
              connection -> connection.publisher().subscribe(connection.subscriber()));
      };
    }
  }

  static void reply(FramedConnection connection, FrameBatch batch) {
    for (int i = 0; i < batch.size(); i++) {
      connection.reply(batch.buffer(), batch.offset(i), batch.length(i));
    }
  }

  @ParameterizedTest
  @EnumSource
  void framesAreAnsweredInOrder(Way way) throws Exception {
    try (FramedServer server = way.echo().start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      FramedConnection connection = client.connection();
      for (int i = 0; i < 1000; i++) {
        connection.send(("frame " + i).getBytes(UTF_8));
      }
      for (int i = 0; i < 1000; i++) {
        assertThat(connection.receive()).asString(UTF_8).isEqualTo("frame " + i);
      }
      assertThat(connection.counters().framesSent()).isEqualTo(1000);
      assertThat(connection.counters().framesReceived()).isEqualTo(1000);
      // The last is counted when its handler has come back for more.
      Await.until("all are counted", () -> server.counters().frames().framesDecoded() == 1000);
      assertThat(server.counters().frames().framesEncoded()).isEqualTo(1000);
    }
  }

  @ParameterizedTest
  @EnumSource
  void longFramesAreAnswered(Way way) throws Exception {
    byte[] frame = new byte[3_000_000];
    new java.util.Random(1).nextBytes(frame);
    try (FramedServer server = way.echo().start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      for (int i = 0; i < 3; i++) {
        client.connection().send(frame);
        assertThat(client.connection().receive()).isEqualTo(frame);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void halfClosedPeerGetsItsRepliesAndACleanEnd(Way way) throws Exception {
    try (FramedServer server = way.echo().start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      FramedConnection connection = client.connection();
      connection.send("last".getBytes(UTF_8));
      connection.endOutput();

      assertThat(connection.receive()).asString(UTF_8).isEqualTo("last");
      assertThat(connection.receive()).isNull();
      assertThatThrownBy(() -> connection.send(new byte[1]))
          .isInstanceOf(FrameNotSentException.class);
      connection.close();
      Await.until("the server has closed it too", () -> server.counters().connectionsOpen() == 0);
      assertThat(server.counters().connectionsFailed()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void requestsGetTheirRepliesInOrder(Way way) throws Exception {
    try (FramedServer server = way.echo().start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      List<CompletableFuture<byte[]>> replies = new ArrayList<>();
      for (int i = 0; i < 1000; i++) {
        replies.add(client.request(("request " + i).getBytes(UTF_8)));
      }
      for (int i = 0; i < 1000; i++) {
        assertThat(replies.get(i).get(20, TimeUnit.SECONDS))
            .asString(UTF_8)
            .isEqualTo("request " + i);
      }
      assertThatThrownBy(() -> client.connection().receive())
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("frames are already received by request() (not by receive())");
    }
  }

  @Test
  void lateReplyAnswersNoOtherRequest() throws Exception {
    CompletableFuture<Void> go = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              for (byte[] frame : connection) {
                if (frame[0] == 's') {
                  go.get();
                }
                connection.send(frame);
              }
            })
            .start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      CompletableFuture<byte[]> slow =
          client.request("slow".getBytes(UTF_8), Duration.ofMillis(50));
      CompletableFuture<byte[]> cancelled = client.request("cancelled".getBytes(UTF_8));
      CompletableFuture<byte[]> last = client.request("last".getBytes(UTF_8));
      assertThatThrownBy(slow::get).hasCauseInstanceOf(TimeoutException.class);
      cancelled.cancel(true);
      go.complete(null);

      assertThat(last.get(20, TimeUnit.SECONDS)).asString(UTF_8).isEqualTo("last");
      assertThat(client.counters().requestsTimedOut()).isOne();
      assertThat(client.counters().repliesDropped()).isEqualTo(2);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"EPOLL", "NIO"})
  void unixSocketServesToo(Transport transport, @TempDir Path directory) throws Exception {
    Path path = directory.resolve("socket");
    try (FramedServer server =
            Way.BLOCKING.echo().transport(transport).path(path).start();
        FramedClient client =
            FramedClient.builder().transport(transport).path(path).connect()) {
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).containsExactly(1);
      assertThat(server.port()).isEqualTo(-1);
    }
    assertThat(path).doesNotExist();
  }

  @Test
  void formatChangesBetweenTwoFramesWithNoByteLost() throws Exception {
    FrameFormat later = NETSTRING;
    try (FramedServer server = FramedServer.builder()
            .handler(connection -> {
              assertThat(connection.receive()).asString(UTF_8).isEqualTo("upgrade");
              connection.send("yes".getBytes(UTF_8));
              connection.format(later);
              for (byte[] frame : connection) {
                connection.send(frame);
              }
            })
            .start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      FramedConnection connection = client.connection();
      // The frames of the new format come at once; under the old one they would be far too long.
      connection.send("upgrade".getBytes(UTF_8));
      connection.format(later);
      connection.send("one".getBytes(UTF_8));
      connection.send("two".getBytes(UTF_8));
      connection.format(FrameFormat.defaults());
      assertThat(connection.receive()).asString(UTF_8).isEqualTo("yes");
      connection.format(later);
      assertThat(connection.receive()).asString(UTF_8).isEqualTo("one");
      assertThat(connection.receive()).asString(UTF_8).isEqualTo("two");
    }
  }

  private static final FrameFormat NETSTRING =
      FrameFormat.netstring().toBuilder().maxFrameLength(100).build();

  /** Answers each frame with itself; behind the frame "upgrade" all are netstrings. */
  private static void upgrade(FramedConnection connection, FrameBatch batch) {
    for (int i = 0; i < batch.size(); i++) {
      connection.reply(batch.bytes(i));
      if (new String(batch.bytes(i), UTF_8).equals("upgrade")) {
        batch.endAfter(i);
        connection.format(NETSTRING);
        assertThat(connection.format()).isEqualTo(NETSTRING);
      }
    }
  }

  @Test
  void formatChangesInsideABatchWithNoByteLost() throws Exception {
    byte[] wire = "\0\0\0\1a\0\0\0\7upgrade1:b,2:cd,0:,".getBytes(UTF_8);
    try (FramedServer server =
        FramedServer.builder().batchHandler(() -> FramedServerTest::upgrade).start()) {
      for (int cut = 0; cut < wire.length; cut++) {
        try (Socket peer = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
          peer.setTcpNoDelay(true);
          peer.setSoTimeout(20_000);
          peer.getOutputStream().write(wire, 0, cut);
          peer.getOutputStream().write(wire, cut, wire.length - cut);

          assertThat(peer.getInputStream().readNBytes(wire.length)).isEqualTo(wire);
        }
      }
      Await.until("all are closed", () -> server.counters().connectionsOpen() == 0);
      assertThat(server.counters().handlersFailed()).isZero();
      assertThat(server.counters().frames().framesDecoded()).isEqualTo(5L * wire.length);
    }
  }

  @Test
  void formatOfABatchHandlerChangesOnItsEventLoopOnly() throws Exception {
    CompletableFuture<FramedConnection> opened = new CompletableFuture<>();
    BatchHandler handler = new BatchHandler() {
      @Override
      public void opened(FramedConnection connection) {
        opened.complete(connection);
      }

      @Override
      public void frames(FramedConnection connection, FrameBatch batch) {}
    };
    try (FramedServer server =
            FramedServer.builder().batchHandler(() -> handler).start();
        FramedClient client = FramedClient.connect("127.0.0.1", server.port())) {
      assertThat(client.isConnected()).isTrue();
      FramedConnection connection = opened.get(20, TimeUnit.SECONDS);

      assertThatThrownBy(() -> connection.format(NETSTRING))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("format() with a batch handler must be called on its event loop");
      assertThatThrownBy(connection::takeReceivedBytes)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the batch handler takes the received bytes");
      assertThat(connection.format()).isEqualTo(FrameFormat.defaults());
    }
  }

  @Test
  void stopLetsHandlersFinishAndReportsWhatWasCut() throws Exception {
    CompletableFuture<Void> entered = new CompletableFuture<>();
    FramedServer server = FramedServer.builder()
        .handler(connection -> {
          byte[] frame = connection.receive();
          if (frame != null && frame[0] == 'b') {
            entered.complete(null);
            Await.until("the handler is told", connection::isStopping);
            connection.send(frame);
            new CompletableFuture<Void>().get();
          }
          while (connection.receive() != null) {
            // Until the end.
          }
        })
        .start();
    try (FramedClient blocked = FramedClient.connect("127.0.0.1", server.port());
        FramedClient idle = FramedClient.connect("127.0.0.1", server.port())) {
      blocked.connection().send("block".getBytes(UTF_8));
      entered.get(20, TimeUnit.SECONDS);

      StopReport report = server.stop(Duration.ofSeconds(3));

      assertThat(report.finished()).isOne();
      assertThat(report.cut()).isOne();
      assertThat(report.took()).isBetween(Duration.ofMillis(2900), Duration.ofSeconds(20));
      assertThat(idle.connection().receive()).isNull();
      assertThat(blocked.connection().receive()).asString(UTF_8).isEqualTo("block");
    }
    assertThat(server.isTerminated()).isTrue();
  }

  @Test
  void peerThatDoesNotReadStopsItsSenderOnly() throws Exception {
    CompletableFuture<FramedConnection> accepted = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .outboundLowWaterMark(16 * 1024)
            .outboundHighWaterMark(64 * 1024)
            .option(java.net.StandardSocketOptions.SO_SNDBUF, 16 * 1024)
            .handler(connection -> {
              accepted.complete(connection);
              connection.closed().toCompletableFuture().get();
            })
            .start();
        FramedClient client = FramedClient.builder()
            .port(server.port())
            .inboundHighWaterMark(1024)
            .option(java.net.StandardSocketOptions.SO_RCVBUF, 16 * 1024)
            .connect()) {
      FramedConnection connection = accepted.get(20, TimeUnit.SECONDS);
      int before = FramedServers.fill(connection, server, new byte[1024]);
      CompletableFuture<Void> waits = connection.sendAsync(new byte[1024]);
      CompletableFuture<Void> blocked = Threads.run(() -> {
        try {
          connection.send(new byte[1024]);
        } catch (IOException e) {
          throw new java.io.UncheckedIOException(e);
        }
      });
      CompletableFuture<Void> withdrawn = connection.sendAsync(new byte[1024]);
      assertThat(withdrawn.cancel(false)).isTrue();
      assertThat(server.counters().sendsDelayed()).isPositive();

      for (int i = 0; i < before + 2; i++) {
        assertThat(client.connection().receive(Duration.ofSeconds(20))).hasSize(1024);
      }
      waits.get(20, TimeUnit.SECONDS);
      blocked.get();
      client.connection().abort();
    }
  }

  @Test
  void bytesThatBreakTheFormatAreNotTheHandlersFault() throws Exception {
    try (FramedServer server =
            Way.BLOCKING.echo().closeTimeout(Duration.ofMillis(200)).start();
        java.net.Socket socket =
            new java.net.Socket(java.net.InetAddress.getLoopbackAddress(), server.port())) {
      socket.setSoTimeout(20_000);
      socket.getOutputStream().write(new byte[] {0, 0, 0, 1, 'a', 'G', 'E', 'T', ' ', '/'});

      assertThat(socket.getInputStream().readAllBytes()).containsExactly(0, 0, 0, 1, 'a');
      FramedServers.awaitFailed(server, 1);
      FramedServers.awaitOpen(server, 0);
      assertThat(server.counters().frames().framesTooLarge()).isOne();
      assertThat(server.counters().handlersFailed()).isZero();
    }
  }
}
