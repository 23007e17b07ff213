package dev.mullion.framing.benchmark;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.tcp.EchoServer;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.function.Consumer;

/**
 * Echo servers to measure beside each other, each with one event loop on the same transport. It
 * takes {@code <kind> <port>}. Kind {@code mullion} is an {@link EchoServer} with its limits and
 * counters; {@code codec} has Netty's decoder and prepender, and {@code bytes} sends back
 * what it reads, which is the most that Netty can do. Both flush when all of a read is written.
 */
public final class ComparedServers {
  private static final FrameFormat FORMAT = FrameFormat.defaults();

  private ComparedServers() {}

  /** Prints its port, and serves until it is killed. */
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    switch (arguments[0]) {
      case "mullion" -> {
        EchoServer server =
            EchoServer.builder().port(port).format(FORMAT).eventLoopThreads(1).start();
        System.out.println("listening on " + server.port());
        server.awaitTermination();
      }
      case "codec" -> serve(port, pipeline -> addCodec(pipeline).addLast(new Echo()));
      case "bytes" -> serve(port, pipeline -> pipeline.addLast(new Echo()));
      default ->
        throw new IllegalArgumentException(
            "kind: " + arguments[0] + " (expected: mullion, codec or bytes)");
    }
  }

  /** Adds Netty's own decoder and prepender. */
  static ChannelPipeline addCodec(ChannelPipeline pipeline) {
    int max = FORMAT.maxFrameLength() + Integer.BYTES;
    return pipeline.addLast(
        new LengthFieldBasedFrameDecoder(max, 0, 4, 0, 4), new LengthFieldPrepender(4));
  }

  /** Serves with plain Netty on one event loop, and prints the port. */
  static void serve(int port, Consumer<ChannelPipeline> handlers) throws InterruptedException {
    boolean epoll = Epoll.isAvailable();
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(
        1, epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
    Channel server = new ServerBootstrap()
        .group(group)
        .channel(epoll ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
        .childHandler(new ChannelInitializer<>() {
          @Override
          protected void initChannel(Channel channel) {
            handlers.accept(channel.pipeline());
          }
        })
        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
        .sync()
        .channel();
    System.out.println("listening on " + ((InetSocketAddress) server.localAddress()).getPort());
    server.closeFuture().sync();
  }

  /** As Netty's own example has it. */
  static class Echo extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      context.write(message);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.flush();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      context.close();
    }
  }
}
