package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/**
 * The part of an {@link Attempt} for one address, from the socket until frames can be sent and
 * received. Called by the event loop's thread.
 */
final class Dial extends ChannelInitializer<Channel> {
  /** Receives the outcome. */
  interface Result {
    /** The connection is open. */
    void opened(FramedConnection connection);

    /** The address cannot be connected to. */
    void failed(Dial dial, Throwable cause);

    /** The connection is open, but the user's code failed on it. */
    void refused(Throwable cause);
  }

  private final DialParts client;
  private final SocketAddress address;
  private final Result attempt;
  private final boolean secure;
  private @Nullable Channel channel;
  private @Nullable Link link;
  private boolean opening;
  private boolean done;

  Dial(DialParts client, SocketAddress address, Result attempt) {
    this.client = client;
    this.address = address;
    this.attempt = attempt;
    secure = client.settings().tls() != null;
  }

  SocketAddress address() {
    return address;
  }

  @SuppressWarnings("unchecked") // The builder has checked that the values fit their options.
  void begin() {
    boolean unix = client.settings().path() != null;
    Bootstrap bootstrap = new Bootstrap()
        .group(client.loop())
        .channel(unix ? client.netty().unixChannel() : client.netty().channel())
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, 0)
        .option(ChannelOption.RECVBUF_ALLOCATOR, Sockets.reads(client.connectionSettings(), secure))
        .handler(this);
    Sockets.common(client.connectionSettings(), client.transport(), unix)
        .forEach((option, value) -> bootstrap.option((ChannelOption<Object>) option, value));
    client
        .settings()
        .options()
        .forEach((option, value) -> bootstrap.option((ChannelOption<Object>) option, value));
    ChannelFuture connecting = bootstrap.connect(address, client.settings().localAddress());
    channel = connecting.channel();
    connecting.addListener((ChannelFutureListener) connected -> {
      if (!connected.isSuccess()) {
        fail(requireNonNull(connected.cause(), "cause"));
        return;
      }
      // Not earlier: some transports close a channel that cannot connect before they report it.
      connected.channel().closeFuture().addListener(closed -> closed());
    });
  }

  @Override
  protected void initChannel(Channel channel) {
    TlsContext tls = client.settings().tls();
    HalfClose.addIfNeeded(channel, client.transport(), client.settings().path() != null);
    channel.pipeline().addLast(new OtherEnd());
    if (tls != null) {
      String host = client.settings().host();
      channel
          .pipeline()
          .addLast(tls.newHandler(channel.alloc(), host, client.settings().port()));
    }
    handling().addTo(channel.pipeline(), client.connectionSettings(), client.watch(), secure);
    // The pipeline may be empty again before anybody is notified of the connection.
    link = channel.pipeline().get(Link.class);
  }

  private Handling handling() {
    BatchHandler handler = client.batchHandler();
    return handler == null
        ? Handling.pulled(this::opened)
        : Handling.batches(() -> new Announcing(handler, this::opened));
  }

  private void opened(FramedConnection opened) {
    if (done) {
      opened.abort();
      return;
    }
    opening = true;
    client.settings().onConnected().accept(opened);
    if (done || !client.take().test(opened)) {
      opened.abort();
      return;
    }
    done = true;
    attempt.opened(opened);
  }

  private void closed() {
    Throwable cause = link == null ? null : link.ending.cause();
    if (cause != null) {
      fail(cause);
    } else if (secure && !opening) {
      fail(new IOException(Ending.ENDED_IN_HANDSHAKE));
    } else {
      fail(new IOException("closed by the peer"));
    }
  }

  /**
   * Gives up this address; the next one is tried, unless the user's code rejected this connection.
   */
  void fail(Throwable cause) {
    if (done) {
      return;
    }
    close();
    if (opening) {
      attempt.refused(cause);
    } else {
      attempt.failed(this, cause);
    }
  }

  /** Closes the channel, unless its connection is open and taken. */
  void close() {
    if (!done) {
      done = true;
      // Without a socket, for instance without a free descriptor, there is nothing to close.
      if (channel != null && channel.isOpen()) {
        channel.close();
      }
    }
  }

  /**
   * Ends a connection to itself. The kernel makes one when it picks the absent server's port as the
   * client's own port; the connection would then block that port for the server.
   */
  private final class OtherEnd extends ChannelInboundHandlerAdapter {
    @Override
    public void channelActive(ChannelHandlerContext ctx) {
      SocketAddress local = ctx.channel().localAddress();
      if (local instanceof InetSocketAddress && local.equals(ctx.channel().remoteAddress())) {
        // With a reset, so that the port is free at once.
        ctx.channel().config().setOption(ChannelOption.SO_LINGER, 0);
        fail(new ConnectException("connected to itself: no server is listening there"));
        return;
      }
      ctx.fireChannelActive();
    }
  }
}
