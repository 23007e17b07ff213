package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.random;
import static dev.mullion.framing.TestBytes.wire;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Await;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.local.LocalAddress;
import io.netty.channel.local.LocalChannel;
import io.netty.channel.local.LocalIoHandler;
import io.netty.channel.local.LocalServerChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The codec behind a real socket, with a peer that is told what to do. */
@Timeout(60)
class CodecSocketTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();

  record Sockets(
      String name, IoHandlerFactory handlers, Class<? extends ServerChannel> serverChannel) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Sockets> sockets() {
    Sockets nio = new Sockets("nio", NioIoHandler.newFactory(), NioServerSocketChannel.class);
    return Epoll.isAvailable()
        ? Stream.of(
            nio, new Sockets("epoll", EpollIoHandler.newFactory(), EpollServerSocketChannel.class))
        : Stream.of(nio);
  }

  private final Recorder recorder = new Recorder();
  private final FrameCounters counters = new FrameCounters();
  private final List<EventLoopGroup> groups = new ArrayList<>();

  private EventLoopGroup group(IoHandlerFactory handlers) {
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, handlers);
    groups.add(group);
    return group;
  }

  private Socket connect(Sockets sockets, boolean halfClosure) throws Exception {
    return connect(sockets, halfClosure, TWO_BYTES);
  }

  private Socket connect(Sockets sockets, boolean halfClosure, FrameFormat format)
      throws Exception {
    Channel server = new ServerBootstrap()
        .group(group(sockets.handlers))
        .channel(sockets.serverChannel)
        .childOption(ChannelOption.ALLOW_HALF_CLOSURE, halfClosure)
        .childHandler(new ChannelInitializer<>() {
          @Override
          protected void initChannel(Channel channel) {
            LengthDelimitedCodec codec =
                LengthDelimitedCodec.builder().format(format).counters(counters).build();
            channel.pipeline().addLast(codec, recorder);
          }
        })
        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
        .sync()
        .channel();
    Socket socket = new Socket();
    socket.setTcpNoDelay(true);
    socket.connect(server.localAddress());
    return socket;
  }

  @AfterEach
  void stop() throws Exception {
    for (EventLoopGroup group : groups) {
      group.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    }
  }

  private void awaitEvents(int count) throws Exception {
    Await.until(count + " events", () -> recorder.events().size() >= count);
  }

  private static String peer(Socket socket) {
    return "(peer /127.0.0.1:" + socket.getLocalPort() + ", ";
  }

  @ParameterizedTest
  @MethodSource("sockets")
  void framesComeInOrderAndTheEndIsClean(Sockets sockets) throws Exception {
    byte[][] frames = new byte[500][];
    for (int i = 0; i < frames.length; i++) {
      frames[i] = random(i * 7 % 5000, i);
    }
    try (Socket socket = connect(sockets, false)) {
      for (byte[] piece : TestBytes.pieces(wire(TWO_BYTES, frames), 1009)) {
        socket.getOutputStream().write(piece);
      }
    }
    awaitEvents(frames.length + 1);

    assertThat(recorder.events())
        .isEqualTo(Stream.concat(Stream.of(frames).map(Recorder::frame), Stream.of("inactive"))
            .toList());
    assertThat(counters.framesTruncated()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0009 4142", "00"})
  void endInsideAFrameNamesThePeer(String part) throws Exception {
    for (Sockets sockets : sockets().toList()) {
      int before = recorder.events().size();
      Socket socket = connect(sockets, false);
      try (socket) {
        socket.getOutputStream().write(bytes("0001 41" + part));
      }
      awaitEvents(before + 3);

      String text = part.equals("00") ? "1 of 2 header bytes " : "2 of 9 payload bytes ";
      assertThat(recorder.events().subList(before, before + 3))
          .containsExactly(
              frame("41"),
              "TruncatedFrameException: stream ended inside a frame: " + text + peer(socket)
                  + "frame 2)",
              "inactive");
    }
  }

  @ParameterizedTest
  @MethodSource("sockets")
  void halfCloseInsideAFrameIsReportedOnceAndBeforeItsEvent(Sockets sockets) throws Exception {
    Socket socket = connect(sockets, true);
    try (socket) {
      socket.getOutputStream().write(bytes("0002 41"));
      socket.shutdownOutput();
      awaitEvents(2);
    }
    Await.until("released", () -> counters.bytesDiscarded() == 3);

    assertThat(recorder.events())
        .startsWith(
            "TruncatedFrameException: stream ended inside a frame: 1 of 2 payload bytes "
                + peer(socket) + "frame 1)",
            "ChannelInputShutdownEvent")
        .filteredOn(event -> event.startsWith("Truncated"))
        .hasSize(1);
  }

  @ParameterizedTest
  @MethodSource("sockets")
  void resetInsideAFrameIsACutToo(Sockets sockets) throws Exception {
    Socket socket = connect(sockets, false);
    socket.getOutputStream().write(bytes("0001 41 0005 42"));
    awaitEvents(1);
    String peer = peer(socket);
    socket.setSoLinger(true, 0);
    socket.close();
    awaitEvents(4);

    List<String> events = recorder.events();
    assertThat(events.get(1)).contains("onnection reset");
    assertThat(events.subList(2, events.size()))
        .containsExactly(
            "TruncatedFrameException: stream ended inside a frame: 1 of 5 payload bytes " + peer
                + "frame 2)",
            "inactive");
  }

  @ParameterizedTest
  @MethodSource("sockets")
  void corruptStreamIsClosed(Sockets sockets) throws Exception {
    try (Socket socket = connect(sockets, true, FrameFormat.tpkt())) {
      socket.getOutputStream().write(bytes("0300 0005 41  0300 0003"));

      assertThat(socket.getInputStream().read()).isEqualTo(-1);
      awaitEvents(3);
      assertThat(recorder.events())
          .containsExactly(
              frame("41"),
              "CorruptFrameException: length field value 3 with lengthAdjustment -4 is too"
                  + " small (expected: >= 4) "
                  + peer(socket) + "frame 2)",
              "inactive");
    }
  }

  /** Two channels of one thread: the server's is read while the client's is being flushed. */
  @Test
  void localChannelsPlayPingPong() throws Exception {
    EventLoopGroup group = group(LocalIoHandler.newFactory());
    LocalAddress address = new LocalAddress(CodecSocketTest.class);
    Channel listening = new ServerBootstrap()
        .group(group)
        .channel(LocalServerChannel.class)
        .childHandler(pingPong(Integer.MAX_VALUE, new int[1]))
        .bind(address)
        .sync()
        .channel();
    int[] rounds = {0};
    Channel client = new Bootstrap()
        .group(group)
        .channel(LocalChannel.class)
        .handler(pingPong(1000, rounds))
        .connect(address)
        .sync()
        .channel();

    client.writeAndFlush(TestBytes.read("00"));
    client.closeFuture().sync();
    listening.close().sync();

    assertThat(rounds[0]).isEqualTo(1000);
  }

  private static ChannelInitializer<Channel> pingPong(int most, int[] rounds) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel channel) {
        channel
            .pipeline()
            .addLast(
                LengthDelimitedCodec.builder().batches(true).build(),
                new ChannelInboundHandlerAdapter() {
                  @Override
                  public void channelRead(ChannelHandlerContext ctx, Object msg) {
                    FrameBatch batch = (FrameBatch) msg;
                    for (int i = 0; i < batch.size(); i++) {
                      ByteBuf frame = batch.retainedFrame(i);
                      rounds[0]++;
                      // A local channel does not flush inside its own flush.
                      ctx.executor().execute(() -> ctx.writeAndFlush(frame));
                    }
                    if (rounds[0] >= most) {
                      ctx.executor().execute(ctx::close);
                    }
                  }
                });
      }
    };
  }
}
