package dev.mullion.framing.benchmark;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.testing.comparison.LoadMeter;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.InetAddress;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * What {@link EchoLoad} does, over TLS and with its arguments. It is one event loop of Netty's, and
 * trusts every server. All frames of a connection are equal.
 */
public final class TlsLoad {
  private static final int POLL_MILLIS = 5;

  private final int inFlight;
  private final ByteBuf frame;
  private final AtomicLong completed = new AtomicLong();
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  private TlsLoad(int inFlight, int size) {
    this.inFlight = inFlight;
    byte[] payload = new byte[size];
    new Random(1).nextBytes(payload);
    ByteBuf bytes = Unpooled.directBuffer(Integer.BYTES + size);
    frame = Unpooled.unreleasableBuffer(bytes.writeInt(size).writeBytes(payload).asReadOnly());
  }

  /** Prints what it has measured. */
  public static void main(String[] arguments) throws Exception {
    TlsLoad load = new TlsLoad(Integer.parseInt(arguments[5]), Integer.parseInt(arguments[6]));
    LoadMeter meter = LoadMeter.of(arguments);
    load.run(meter, Integer.parseInt(arguments[0]), Integer.parseInt(arguments[4]));
    System.out.println(meter.result());
  }

  private void run(LoadMeter meter, int port, int connections) throws Exception {
    SslContext context = SslContextBuilder.forClient()
        .trustManager(InsecureTrustManagerFactory.INSTANCE)
        .endpointIdentificationAlgorithm(null)
        .build();
    // As daemons, the threads of the loop do not outlive a failure here.
    EventLoopGroup group = new MultiThreadIoEventLoopGroup(
        1, new DefaultThreadFactory(TlsLoad.class, true), NioIoHandler.newFactory());
    Bootstrap bootstrap = new Bootstrap()
        .group(group)
        .channel(NioSocketChannel.class)
        .handler(new ChannelInitializer<>() {
          @Override
          protected void initChannel(Channel channel) {
            channel.pipeline().addLast(context.newHandler(channel.alloc()), new Connection());
          }
        });
    for (int i = 0; i < connections; i++) {
      bootstrap.connect(InetAddress.getLoopbackAddress(), port).sync();
    }
    while (!meter.isOver(completed.get())) {
      Throwable failed = failure.get();
      if (failed != null) {
        throw new IllegalStateException("connection failed: " + failed, failed);
      }
      Thread.sleep(POLL_MILLIS);
    }
  }

  private final class Connection extends SimpleChannelInboundHandler<ByteBuf> {
    /** How much of the current frame has come back. */
    private int at;

    private int due;

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof SslHandshakeCompletionEvent done && done.isSuccess()) {
        due = inFlight;
        channelReadComplete(context);
      }
    }

    @Override
    protected void channelRead0(ChannelHandlerContext context, ByteBuf bytes) {
      while (bytes.isReadable()) {
        int length = Math.min(bytes.readableBytes(), frame.readableBytes() - at);
        if (!ByteBufUtil.equals(bytes, bytes.readerIndex(), frame, at, length)) {
          throw new IllegalStateException("other bytes came back than were sent");
        }
        bytes.skipBytes(length);
        at += length;
        if (at == frame.readableBytes()) {
          at = 0;
          due++;
          completed.incrementAndGet();
        }
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      for (; due > 0; due--) {
        context.write(frame.duplicate(), context.voidPromise());
      }
      context.flush();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      failure.compareAndSet(null, new IllegalStateException("the server closed the connection"));
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      failure.compareAndSet(null, requireNonNull(cause));
    }
  }
}
