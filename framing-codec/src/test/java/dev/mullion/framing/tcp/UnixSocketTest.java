package dev.mullion.framing.tcp;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mullion.net.base.UnixSocketFile;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.SimpleChannelInboundHandler;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(60)
class UnixSocketTest {
  @TempDir
  Path directory;

  private Path path = Path.of("");

  @BeforeEach
  void setPath() {
    path = directory.resolve("mullion.sock");
  }

  @Test
  void noFileIsFine() throws Exception {
    UnixSocketFile.at(path);

    assertThat(path).doesNotExist();
  }

  @Test
  void staleSocketIsRemoved() throws Exception {
    listen().close();
    assertThat(path).exists();

    UnixSocketFile.at(path);

    assertThat(path).doesNotExist();
    listen().close();
  }

  @Test
  void socketInUseIsLeft() throws Exception {
    try (ServerSocketChannel other = listen()) {
      refused("another server listens there");

      try (SocketChannel peer = SocketChannel.open(UnixDomainSocketAddress.of(path));
          SocketChannel probe = other.accept()) {
        assertThat(peer.isConnected()).isTrue();
        assertThat(probe.isConnected()).isTrue();
      }
    }
  }

  /** A blocking probe would wait until there is room among those that wait to be accepted. */
  @Test
  void serverThatDoesNotAcceptIsLeft() throws Exception {
    assumeTrue(OS.LINUX.isCurrentOs(), "other systems count and answer differently");
    try (ServerSocketChannel other = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      other.bind(UnixDomainSocketAddress.of(path), 1);
      for (int i = 0; i < 2; i++) {
        refused("another server listens there");
      }
      refused("it seems to be in use: java.net.SocketException: Resource temporarily unavailable");
    }
  }

  @Test
  void otherKindsOfFileAreLeft() throws Exception {
    Files.writeString(path, "precious");
    refused("it exists and is not a socket");
    assertThat(path).hasContent("precious");

    Files.delete(path);
    Files.createDirectory(path);
    refused("it exists and is not a socket");
  }

  @Test
  void symbolicLinkIsLeft() throws Exception {
    listen().close();
    Path link = Files.createSymbolicLink(directory.resolve("link"), path);

    assertThatThrownBy(() -> UnixSocketFile.at(link))
        .isExactlyInstanceOf(BindException.class)
        .hasMessage("cannot listen on " + link + ": it exists and is not a socket");
    assertThat(path).exists();
  }

  /** Connecting to it is refused as by a stale socket. */
  @Test
  void namedPipeIsLeft() throws Exception {
    Process mkfifo = new ProcessBuilder("mkfifo", path.toString()).start();
    assumeTrue(mkfifo.waitFor() == 0, "no named pipes here");

    refused("it exists and is not a socket");
    assertThat(Files.exists(path)).isTrue();
  }

  private void refused(String why) {
    assertThatThrownBy(() -> UnixSocketFile.at(path))
        .isExactlyInstanceOf(BindException.class)
        .hasMessage("cannot listen on " + path + ": " + why);
  }

  private ServerSocketChannel listen() throws Exception {
    return ServerSocketChannel.open(StandardProtocolFamily.UNIX)
        .bind(UnixDomainSocketAddress.of(path));
  }

  @ParameterizedTest
  @MethodSource("dev.mullion.framing.tcp.EchoServers#transports")
  void transportServesAndRemovesItsSocket(Transport transport) throws Exception {
    listen().close();
    TransportParts parts = transport.parts();
    UnixSocketFile.at(path);

    echo(parts, parts.unixServerChannel(), parts.unixChannel(), parts.unixAddress(path));

    assertThat(path).doesNotExist();
  }

  @ParameterizedTest
  @MethodSource("dev.mullion.framing.tcp.EchoServers#transports")
  void transportServesOverTcp(Transport transport) throws Exception {
    TransportParts parts = transport.parts();

    echo(
        parts,
        parts.serverChannel(),
        parts.channel(),
        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
  }

  private static void echo(
      TransportParts parts,
      Class<? extends ServerChannel> serverChannel,
      Class<? extends Channel> clientChannel,
      SocketAddress address)
      throws Exception {
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, parts.ioHandlers());
    try {
      Channel server = new ServerBootstrap()
          .group(group)
          .channel(serverChannel)
          .childHandler(new Echo())
          .bind(address)
          .sync()
          .channel();
      Reply reply = new Reply();
      Channel client = new Bootstrap()
          .group(group)
          .channel(clientChannel)
          .handler(reply)
          .connect(server.localAddress())
          .sync()
          .channel();

      client.writeAndFlush(Unpooled.copiedBuffer("hello", US_ASCII)).sync();

      assertThat(reply.text.get(20, TimeUnit.SECONDS)).isEqualTo("hello");
      client.close().sync();
      server.close().sync();
    } finally {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }
  }

  @ChannelHandler.Sharable
  private static final class Echo extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      ctx.writeAndFlush(msg);
    }
  }

  private static final class Reply extends SimpleChannelInboundHandler<ByteBuf> {
    final CompletableFuture<String> text = new CompletableFuture<>();

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf msg) {
      text.complete(msg.toString(US_ASCII));
    }
  }
}
