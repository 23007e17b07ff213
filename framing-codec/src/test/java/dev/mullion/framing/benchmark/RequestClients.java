package dev.mullion.framing.benchmark;

import dev.mullion.framing.tcp.FramedClient;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.io.DataInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Function;

/**
 * Clients to measure beside each other: {@code RequestClients <kind> <port>}. A {@link RequestLoad}
 * connects to the port and tells where to send requests to, how many at a time, and of which size.
 * One request at a time is made by a thread that waits for its reply, more by the ends of others.
 */
public final class RequestClients {
  private static final int UNBOUNDED = 256 * 1024 * 1024;

  private RequestClients() {}

  /** Prints its port, and makes requests until it is killed. */
  public static void main(String[] arguments) throws Exception {
    try (ServerSocket asking =
        new ServerSocket(Integer.parseInt(arguments[1]), 1, InetAddress.getLoopbackAddress())) {
      System.out.println("listening on " + asking.getLocalPort());
      try (Socket asker = asking.accept()) {
        DataInputStream asked = new DataInputStream(asker.getInputStream());
        int port = asked.readInt();
        int inFlight = asked.readInt();
        byte[] frame = new byte[asked.readInt()];
        Function<byte[], CompletableFuture<byte[]>> requests = switch (arguments[0]) {
          case "mullion" -> mullion(port)::request;
          case "netty" -> netty(port)::request;
          default -> throw new IllegalArgumentException("kind: " + arguments[0]);
        };
        if (inFlight == 1) {
          oneByOne(requests, frame);
        } else {
          for (int i = 0; i < inFlight; i++) {
            again(requests, frame);
          }
          asked.read();
        }
      }
    }
  }

  private static void oneByOne(Function<byte[], CompletableFuture<byte[]>> requests, byte[] frame)
      throws InterruptedException {
    try {
      while (true) {
        requests.apply(frame).get();
      }
    } catch (ExecutionException over) {
      // The load generator has measured enough.
      System.out.println("ended: " + over.getCause());
    }
  }

  private static void again(Function<byte[], CompletableFuture<byte[]>> requests, byte[] frame) {
    requests.apply(frame).whenComplete((reply, error) -> {
      if (error == null) {
        again(requests, frame);
      }
    });
  }

  private static FramedClient mullion(int port) throws Exception {
    return FramedClient.builder()
        .host("127.0.0.1")
        .port(port)
        .outboundHighWaterMark(UNBOUNDED)
        .connect();
  }

  private static NettyRequests netty(int port) throws InterruptedException {
    boolean epoll = Epoll.isAvailable();
    NettyRequests requests = new NettyRequests();
    new Bootstrap()
        .group(new MultiThreadIoEventLoopGroup(
            1, epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory()))
        .channel(epoll ? EpollSocketChannel.class : NioSocketChannel.class)
        .option(ChannelOption.TCP_NODELAY, true)
        .handler(new ChannelInitializer<>() {
          @Override
          protected void initChannel(Channel channel) {
            ComparedServers.addCodec(channel.pipeline()).addLast(requests);
          }
        })
        .connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
        .sync();
    return requests;
  }

  /** Gives each reply to the oldest request. */
  private static final class NettyRequests extends SimpleChannelInboundHandler<ByteBuf> {
    private final Queue<CompletableFuture<byte[]>> due = new ArrayDeque<>();
    private final CompletableFuture<ChannelHandlerContext> context = new CompletableFuture<>();

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
      context.complete(ctx);
    }

    CompletableFuture<byte[]> request(byte[] frame) {
      ChannelHandlerContext ctx = context.join();
      CompletableFuture<byte[]> reply = new CompletableFuture<>();
      if (ctx.executor().inEventLoop()) {
        due.add(reply);
        ctx.write(Unpooled.wrappedBuffer(frame), ctx.voidPromise());
      } else {
        ctx.executor().execute(() -> {
          due.add(reply);
          ctx.writeAndFlush(Unpooled.wrappedBuffer(frame), ctx.voidPromise());
        });
      }
      return reply;
    }

    @Override
    protected void channelRead0(ChannelHandlerContext ctx, ByteBuf frame) {
      due.remove().complete(ByteBufUtil.getBytes(frame));
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
      ctx.flush();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      due.forEach(each -> each.completeExceptionally(cause));
      ctx.close();
    }
  }
}
