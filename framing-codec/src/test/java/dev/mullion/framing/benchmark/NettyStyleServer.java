package dev.mullion.framing.benchmark;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.concurrent.DefaultEventExecutorGroup;
import io.netty.util.concurrent.EventExecutorGroup;
import java.util.concurrent.ThreadFactory;
import java.util.function.Consumer;

/**
 * What {@link StyleServer} does, by Netty's own handlers on one event loop: {@code NettyStyleServer
 * <style> <port>}. In style {@code platform} and {@code virtual} the frames are handled on threads
 * of their own.
 */
public final class NettyStyleServer {
  /** At least one for each connection of a load. */
  private static final int THREADS = 16;

  private NettyStyleServer() {}

  /** Prints its port, and serves until it is killed. */
  public static void main(String[] arguments) throws Exception {
    int port = Integer.parseInt(arguments[1]);
    switch (arguments[0]) {
      case "platform" -> serve(port, on(new DefaultEventExecutorGroup(THREADS)));
      case "virtual" -> serve(port, on(new DefaultEventExecutorGroup(THREADS, virtual())));
      case "reverse" -> serve(port, pipeline -> pipeline.addLast(new Reverser()));
      case "echo" -> serve(port, pipeline -> pipeline.addLast(new ComparedServers.Echo()));
      case "tls-jdk" -> serve(port, secure(SslProvider.JDK));
      case "tls-openssl" -> serve(port, secure(SslProvider.OPENSSL));
      default -> throw new IllegalArgumentException("style: " + arguments[0]);
    }
  }

  @SuppressWarnings("deprecation") // It is still how Netty's users leave the event loop.
  private static Consumer<ChannelPipeline> on(EventExecutorGroup threads) {
    return pipeline -> pipeline.addLast(threads, new ComparedServers.Echo());
  }

  private static Consumer<ChannelPipeline> secure(SslProvider provider) throws Exception {
    SslContext context = StyleServer.context(provider);
    return pipeline -> {
      pipeline.addFirst(context.newHandler(pipeline.channel().alloc()));
      pipeline.addLast(new ComparedServers.Echo());
    };
  }

  /** By reflection, since the sources are compiled for JDK 17. */
  private static ThreadFactory virtual() throws ReflectiveOperationException {
    Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
    return (ThreadFactory)
        Class.forName("java.lang.Thread$Builder").getMethod("factory").invoke(builder);
  }

  private static void serve(int port, Consumer<ChannelPipeline> handlers)
      throws InterruptedException {
    ComparedServers.serve(port, pipeline -> handlers.accept(ComparedServers.addCodec(pipeline)));
  }

  /** Reverses the bytes of each frame twice, as {@link StyleServer} does. */
  private static final class Reverser extends ComparedServers.Echo {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf frame = (ByteBuf) message;
      StyleServer.Reverser.reverse(frame, frame.readerIndex(), frame.writerIndex());
      StyleServer.Reverser.reverse(frame, frame.readerIndex(), frame.writerIndex());
      super.channelRead(context, frame);
    }
  }
}
