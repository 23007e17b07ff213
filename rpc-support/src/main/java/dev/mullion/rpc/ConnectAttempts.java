package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.Tls;
import dev.mullion.net.base.Check;
import io.grpc.Attributes;
import io.grpc.InsecureChannelCredentials;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalNettyChannelBuilder;
import io.grpc.netty.InternalNettyChannelCredentials;
import io.grpc.netty.InternalProtocolNegotiator.ClientFactory;
import io.grpc.netty.InternalProtocolNegotiator.ProtocolNegotiator;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettySslContextChannelCredentials;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslContext;
import io.netty.util.AsciiString;
import io.netty.util.concurrent.Future;
import java.net.ConnectException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * Limits the time of each attempt of a channel to connect: TCP, TLS and the first HTTP/2 settings.
 * gRPC would wait for these as long as the connection stays open, and never try the other addresses
 * of a name.
 */
record ConnectAttempts(Duration connectTimeout, @Nullable Tls tls, OpenSockets sockets) {
  /** The share of the time for one of several addresses. */
  static final Attributes.Key<Long> NANOS = Attributes.Key.create("mullion-connect-nanos");

  private static final long LEAST_SHARE = Duration.ofMillis(250).toNanos();

  /** Returns the share of each of several addresses that are tried one after the other. */
  long share(int addresses) {
    // Leaves time to report the failure of the last one.
    long most = Check.nanos(connectTimeout) / 10 * 9;
    return Math.max(most / Math.max(1, addresses), Math.min(most, LEAST_SHARE));
  }

  /** Watches the attempts of a channel, which uses TLS if there is a context. */
  void watch(NettyChannelBuilder builder, @Nullable SslContext context) {
    ClientFactory factory = InternalNettyChannelCredentials.toNegotiator(
        context == null
            ? InsecureChannelCredentials.create()
            : NettySslContextChannelCredentials.create(context));
    InternalNettyChannelBuilder.setProtocolNegotiatorFactory(builder, new ClientFactory() {
      @Override
      public ProtocolNegotiator newNegotiator() {
        return new Timed(factory.newNegotiator());
      }

      @Override
      public int getDefaultPort() {
        return factory.getDefaultPort();
      }
    });
  }

  /** The server did not answer in time. */
  static final class NoAnswerException extends ConnectException {
    private static final long serialVersionUID = 1;

    NoAnswerException(Duration connectTimeout) {
      super("no answer within connectTimeout " + connectTimeout);
    }
  }

  private final class Timed implements ProtocolNegotiator {
    private final ProtocolNegotiator negotiator;

    Timed(ProtocolNegotiator negotiator) {
      this.negotiator = negotiator;
    }

    @Override
    public AsciiString scheme() {
      return negotiator.scheme();
    }

    @Override
    public ChannelHandler newHandler(GrpcHttp2ConnectionHandler handler) {
      return new Timer(handler, negotiator.newHandler(handler));
    }

    @Override
    public void close() {
      negotiator.close();
    }
  }

  /** Runs from the start of an attempt until its outcome, and then removes itself. */
  private final class Timer extends ChannelInboundHandlerAdapter {
    private final GrpcHttp2ConnectionHandler http2;
    private final ChannelHandler next;

    Timer(GrpcHttp2ConnectionHandler http2, ChannelHandler next) {
      this.http2 = http2;
      this.next = next;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      Long share = http2.getEagAttributes().get(NANOS);
      Future<?> timer = context
          .executor()
          .schedule(() -> end(context), share == null ? share(1) : share, NANOSECONDS);
      context.channel().closeFuture().addListener(closed -> timer.cancel(false));
      sockets.add(context.channel());
      HandshakeTimer.addBefore(context, tls);
      context.pipeline().replace(this, null, next);
    }

    private void end(ChannelHandlerContext context) {
      if (!http2.decoder().prefaceReceived()) {
        context.pipeline().fireExceptionCaught(new NoAnswerException(connectTimeout));
        context.channel().close();
      }
    }
  }
}
