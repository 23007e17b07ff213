package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.mullion.net.Tls;
import io.grpc.ServerCredentials;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalNettyServerCredentials;
import io.grpc.netty.InternalProtocolNegotiator.ProtocolNegotiator;
import io.grpc.netty.InternalProtocolNegotiator.ServerFactory;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.util.AsciiString;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Handles each connection when it is accepted, before TLS and HTTP/2, and closes connections beyond
 * the limit. gRPC exposes connections only after the handshake, and never exposes the reasons for
 * closing one. So this class uses unstable types of gRPC.
 */
final class ConnectionGate {
  private final ConnectionLimits limits;
  private final @Nullable Tls tls;
  private final RpcCounters counters;
  private final PendingReplies replies;
  private final AtomicInteger open = new AtomicInteger();

  private final OpenSockets sockets = new OpenSockets();

  ConnectionGate(ConnectionLimits limits, @Nullable Tls tls, CallRegistry registry) {
    this.tls = tls;
    this.limits = limits;
    this.counters = registry.counters;
    this.replies = new PendingReplies(limits.maxPendingReplyBytes(), registry);
  }

  /**
   * Returns credentials that pass connections through this gate, and then to the given credentials.
   */
  ServerCredentials wrap(ServerCredentials credentials) {
    ServerFactory factory = InternalNettyServerCredentials.toNegotiator(credentials);
    ServerFactory gated = pool -> new Gated(factory.newNegotiator(pool));
    return InternalNettyServerCredentials.create(gated);
  }

  private final class Gated implements ProtocolNegotiator {
    private final ProtocolNegotiator negotiator;

    Gated(ProtocolNegotiator negotiator) {
      this.negotiator = negotiator;
    }

    @Override
    public AsciiString scheme() {
      return negotiator.scheme();
    }

    @Override
    public ChannelHandler newHandler(GrpcHttp2ConnectionHandler handler) {
      handler.connection().addListener(new Reasons());
      PeerConnection.watch(handler, counters, replies, limits);
      PeerMetadata.of(handler);
      ChannelHandler next = negotiator.newHandler(handler);
      return new ChannelInboundHandlerAdapter() {
        @Override
        public void handlerAdded(ChannelHandlerContext context) {
          if (enter(context)) {
            long nanos = tls == null
                ? limits.handshakeTimeoutNanos()
                : Math.min(limits.handshakeTimeoutNanos(), HandshakeTimer.nanos(tls));
            FirstBytes first = new FirstBytes(handler, counters, nanos, tls != null);
            context.pipeline().addBefore(context.name(), null, first);
            HandshakeTimer.addBefore(context, tls);
            context.pipeline().replace(this, null, next);
          } else {
            context.close();
          }
        }
      };
    }

    @Override
    public void close() {
      negotiator.close();
    }
  }

  private boolean enter(ChannelHandlerContext context) {
    if (open.incrementAndGet() > limits.maxConnections()) {
      open.decrementAndGet();
      counters.connectionsRefused.increment();
      return false;
    }
    context.channel().closeFuture().addListener(closed -> open.decrementAndGet());
    sockets.add(context.channel());
    return true;
  }

  OpenSockets sockets() {
    return sockets;
  }

  /** Counts the connections that are closed with {@code ENHANCE_YOUR_CALM}. */
  private final class Reasons extends Http2ConnectionAdapter {
    @Override
    public void onGoAwaySent(int lastStreamId, long errorCode, ByteBuf debugData) {
      if (errorCode == Http2Error.ENHANCE_YOUR_CALM.code()) {
        counters.endedFor(debugData.toString(US_ASCII)).increment();
      }
    }
  }
}
