package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameReader;
import dev.mullion.framing.FrameWriter;
import dev.mullion.framing.tcp.FramedServerTest.Way;
import dev.mullion.framing.testing.Threads;
import dev.mullion.net.StopReport;
import dev.mullion.net.base.UnixSocketFile;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import java.net.BindException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Servers and clients on unix-domain sockets: whose file it is, and that either side may end first.
 */
@Timeout(60)
class UnixServerTest {
  private static final String TRANSPORTS = "dev.mullion.framing.tcp.EchoServers#transports";

  @TempDir
  Path directory;

  private Path path = Path.of("");

  @BeforeEach
  void setPath() {
    path = directory.resolve("server.sock");
  }

  private FramedServerBuilder server(Transport transport, Way way) {
    return way.echo().transport(transport).path(path);
  }

  private FramedClient client() throws Exception {
    return FramedClient.builder().transport(Transport.NIO).path(path).connect();
  }

  private void expectEcho() throws Exception {
    try (FramedClient client = client()) {
      assertThat(client.request(new byte[] {1}).get(20, TimeUnit.SECONDS)).hasSize(1);
    }
  }

  private List<String> files() throws Exception {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }

  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void serverHasOneFileAndRemovesIt(Transport transport) throws Exception {
    try (FramedServer server = server(transport, Way.BATCH).start()) {
      assertThat(files()).containsExactly("server.sock");
      assertThat(server.address().toString()).isEqualTo(path.toString());
      expectEcho();
      assertThatThrownBy(() -> server(transport, Way.BATCH).start())
          .isExactlyInstanceOf(BindException.class)
          .hasMessage("cannot listen on " + path + ": another server listens there");
      expectEcho();
    }
    assertThat(files()).isEmpty();
  }

  /** The old one removed the file of the new one, when it came to its end. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void serverThatDrainsLeavesTheFileOfItsSuccessor(Transport transport) throws Exception {
    CountDownLatch received = new CountDownLatch(1);
    CountDownLatch release = new CountDownLatch(1);
    FramedServer old = FramedServer.builder()
        .transport(transport)
        .path(path)
        .handler(connection -> {
          for (byte[] frame : connection) {
            received.countDown();
            release.await();
            connection.send(frame);
          }
        })
        .start();
    try (FramedClient slow = client()) {
      CompletableFuture<byte[]> last = slow.request(new byte[1]);
      received.await();
      CompletableFuture<StopReport> stop = Threads.call(() -> old.stop(Duration.ofSeconds(20)));
      FramedServer successor = null;
      while (successor == null) {
        try {
          successor = server(transport, Way.BATCH).start();
        } catch (BindException stillThere) {
          Thread.onSpinWait();
        }
      }
      release.countDown();
      assertThat(last.get(20, TimeUnit.SECONDS)).hasSize(1);
      assertThat(stop.get(20, TimeUnit.SECONDS).cut()).isZero();
      expectEcho();
      successor.close();
      assertThat(files()).isEmpty();
    }
  }

  /** Somebody has removed the file, or put another in its place, while the server ran. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void fileThatTookItsPlaceIsLeft(Transport transport) throws Exception {
    FramedServer old = server(transport, Way.BATCH).start();
    Files.delete(path);
    try (FramedServer successor = server(transport, Way.BATCH).start()) {
      old.close();

      expectEcho();
      assertThat(successor.counters().connectionsOpened()).isOne();
      Files.delete(path);
      Files.writeString(path, "precious");
    }
    assertThat(path).hasContent("precious");
  }

  /** One that has begun to listen between the look and the bind. */
  @Test
  void nameThatIsTakenIsNotReplaced() throws Exception {
    UnixSocketFile socket = UnixSocketFile.at(path);
    try (ServerSocketChannel own = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      own.bind(UnixDomainSocketAddress.of(socket.beside()));
      other.bind(UnixDomainSocketAddress.of(path));

      assertThat(socket.publish()).hasMessage("another server has just started to listen there");
      assertThat(socket.remove()).isFalse();
      assertThat(path).exists();
    }
  }

  /**
   * The name for the moment must not be too long where the wanted one is not, nor the other way.
   */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void pathMayBeAsLongAsTheSystemTakesOne(Transport transport) throws Exception {
    int served = 0;
    int room = 110 - directory.toString().length();
    for (int length = Math.max(1, room - 15); length <= room; length++) {
      path = directory.resolve("x".repeat(length));
      if (path.toString().length() == 108) {
        continue; // There is no room for a zero behind it, which not everybody needs always.
      }
      boolean fits = fits(transport.parts(), path);
      assertThat(files()).isEmpty();
      if (fits) {
        served++;
        server(transport, Way.BATCH).start().close();
      } else {
        assertThatThrownBy(() -> server(transport, Way.BATCH).start())
            .isInstanceOf(BindException.class)
            .hasMessageStartingWith("cannot listen on " + path + ": ");
      }
      assertThat(files()).isEmpty();
    }
    assertThat(served).isBetween(1, 13);
  }

  /** Whether the transport itself takes a path. */
  private static boolean fits(TransportParts parts, Path path) throws Exception {
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, parts.ioHandlers());
    try {
      ChannelFuture bound = new ServerBootstrap()
          .group(group)
          .channel(parts.unixServerChannel())
          .childHandler(new ChannelInboundHandlerAdapter())
          .bind(parts.unixAddress(path))
          .await();
      bound.channel().close().await();
      return bound.isSuccess();
    } finally {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS).await();
    }
  }

  private static Stream<Arguments> ways() {
    return EchoServers.transports()
        .flatMap(transport -> Stream.of(Way.values()).map(way -> Arguments.of(transport, way)));
  }

  /**
   * Over NIO and io_uring the connection was closed at once, and its replies were lost uncounted.
   */
  @ParameterizedTest
  @MethodSource("ways")
  void peerThatEndsItsSideGetsItsReplies(Transport transport, Way way) throws Exception {
    try (FramedServer server = server(transport, way).start();
        SocketChannel peer = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
      FrameWriter writer = FrameWriter.of(peer, FrameFormat.defaults());
      // No more than what the buffers take, since nobody reads the replies meanwhile.
      for (int i = 0; i < 10; i++) {
        writer.write(new byte[10_000]);
      }
      writer.flush();
      peer.shutdownOutput();

      FrameReader reader = FrameReader.of(peer, FrameFormat.defaults());
      int replies = 0;
      while (reader.read() != null) {
        replies++;
      }
      assertThat(replies).isEqualTo(10);
      FramedServers.awaitEmpty(server);
      assertThat(server.counters().connectionsFailed()).isZero();
      assertThat(server.counters().bytesNotSent()).isZero();
    }
  }

  /** The server ends first; what the client still sends arrives. */
  @ParameterizedTest
  @MethodSource(TRANSPORTS)
  void clientMaySendWhenTheServerHasEnded(Transport transport) throws Exception {
    CompletableFuture<byte[]> late = new CompletableFuture<>();
    try (FramedServer server = FramedServer.builder()
            .transport(transport)
            .path(path)
            .handler(connection -> {
              connection.endOutput();
              late.complete(connection.receive());
            })
            .start();
        FramedClient client =
            FramedClient.builder().transport(transport).path(path).connect()) {
      assertThat(client.connection().receive()).isNull();

      client.connection().send(new byte[5]);

      assertThat(late.get(20, TimeUnit.SECONDS)).hasSize(5);
      FramedServers.awaitEmpty(server);
    }
  }
}
