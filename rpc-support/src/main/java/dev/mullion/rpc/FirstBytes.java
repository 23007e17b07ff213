package dev.mullion.rpc;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.mullion.net.base.BoundedLog;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import io.netty.util.concurrent.FastThreadLocal;
import java.lang.System.Logger.Level;
import org.jspecify.annotations.Nullable;

/**
 * Checks the first bytes of a connection. A connection whose peer does not speak HTTP/2, fails in
 * TLS or takes too long is closed, counted and logged at a bounded rate. gRPC alone would log a
 * stack trace for each. A peer that connects and closes without a byte, as load balancers do, is
 * not counted.
 */
final class FirstBytes extends ChannelInboundHandlerAdapter {
  private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII);
  private static final int MOST_SHOWN = 32;
  private static final int TLS_HANDSHAKE = 22;

  private enum Event {
    WRONG_PROTOCOL,
    TLS_FAILED,
    TIMED_OUT
  }

  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(FirstBytes.class.getName()), Event.class);

  private static final FastThreadLocal<@Nullable Channel> READING = new FastThreadLocal<>();

  private final GrpcHttp2ConnectionHandler http2;
  private final RpcCounters counters;
  private final long timeoutNanos;
  private final boolean tls;
  private final long begin = System.nanoTime();
  private int matched;
  private boolean received;
  private boolean refused;

  FirstBytes(
      GrpcHttp2ConnectionHandler http2, RpcCounters counters, long timeoutNanos, boolean tls) {
    this.http2 = http2;
    this.counters = counters;
    this.timeoutNanos = timeoutNanos;
    this.tls = tls;
  }

  /** Returns the peer whose bytes this thread is reading, or null. */
  static @Nullable Object peerBeingRead() {
    Channel channel = READING.getIfExists();
    return channel == null ? null : channel.remoteAddress();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    context.channel().closeFuture().addListener(closed -> closed(context.channel()));
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    received = true;
    ByteBuf bytes = (ByteBuf) message;
    if (refused || (!tls && matched < PREFACE.length && !isPreface(bytes))) {
      if (!refused) {
        refuse(context, bytes);
      }
      bytes.release();
      return;
    }
    READING.set(context.channel());
    try {
      context.fireChannelRead(message);
    } finally {
      READING.remove();
    }
  }

  private boolean isPreface(ByteBuf bytes) {
    for (int i = bytes.readerIndex();
        i < bytes.writerIndex() && matched < PREFACE.length;
        i++, matched++) {
      if (bytes.getByte(i) != PREFACE[matched]) {
        return false;
      }
    }
    return true;
  }

  private void refuse(ChannelHandlerContext context, ByteBuf bytes) {
    refused = true;
    String what;
    if (bytes.getUnsignedByte(bytes.readerIndex()) == TLS_HANDSHAKE) {
      what = "the peer uses TLS (expected: tls on the server, or a peer without TLS)";
    } else {
      String shown = ByteBufUtil.hexDump(
          bytes, bytes.readerIndex(), Math.min(MOST_SHOWN, bytes.readableBytes()));
      what = "the peer does not speak HTTP/2, its first bytes are " + shown;
    }
    refused(Event.WRONG_PROTOCOL, context.channel(), what);
    context.close();
  }

  private void refused(Event event, Channel channel, String what) {
    switch (event) {
      case WRONG_PROTOCOL -> counters.connectionsOfOtherProtocols.increment();
      case TLS_FAILED -> counters.connectionsFailedInTls.increment();
      case TIMED_OUT -> counters.connectionsTimedOut.increment();
    }
    Object peer = channel.remoteAddress();
    LOG.log(event, Level.INFO, peer, () -> "connection closed: " + what + " (peer " + peer + ")");
  }

  private void closed(Channel channel) {
    if (refused || http2.decoder().prefaceReceived()) {
      return;
    }
    // gRPC's timer started slightly earlier.
    boolean late = System.nanoTime() - begin >= timeoutNanos / 20 * 19;
    SslHandler handshake = channel.pipeline().get(SslHandler.class);
    Throwable failure = handshake == null ? null : handshake.handshakeFuture().cause();
    if (failure instanceof NotSslRecordException) {
      refused(Event.WRONG_PROTOCOL, channel, "the peer does not use TLS");
    } else if (failure instanceof SslHandshakeTimeoutException || late) {
      refused(Event.TIMED_OUT, channel, "no HTTP/2 within handshakeTimeout");
    } else if (failure != null && received) {
      refused(Event.TLS_FAILED, channel, "TLS failed: " + failure.getMessage());
    } else if (handshake != null && !handshake.handshakeFuture().isDone() && received) {
      refused(Event.TLS_FAILED, channel, "the peer closed the connection during the TLS handshake");
    } else if (http2.connection().goAwaySent() || withoutAlpn(handshake)) {
      refused(Event.WRONG_PROTOCOL, channel, "the peer does not speak HTTP/2");
    }
  }

  private static boolean withoutAlpn(@Nullable SslHandler handshake) {
    return handshake != null
        && handshake.handshakeFuture().isSuccess()
        && handshake.applicationProtocol() == null;
  }
}
