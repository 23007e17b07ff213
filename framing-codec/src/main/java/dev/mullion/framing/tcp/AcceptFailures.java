package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.ERROR;
import static java.lang.System.Logger.Level.WARNING;

import dev.mullion.net.base.BoundedLog;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * What a listening channel does when it cannot accept, such as for want of file descriptors: it
 * counts that, waits a moment, since whoever wants to connect still does and the next attempt would
 * follow at once, and goes on. Nothing that is thrown here reaches the event loop, which it could
 * end.
 */
final class AcceptFailures extends ChannelInboundHandlerAdapter {
  private static final long PAUSE_MILLIS = 100;

  private final TcpCounters totals;
  private final BoundedLog<Event> log;
  private final BooleanSupplier closing;
  private boolean paused;

  /**
   * @param closing whether the listening channel is being closed by its server
   */
  AcceptFailures(TcpCounters totals, BoundedLog<Event> log, BooleanSupplier closing) {
    this.totals = totals;
    this.log = log;
    this.closing = closing;
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable error) {
    totals.acceptsFailed.increment();
    try {
      pause(ctx);
    } finally {
      log.log(
          Event.ACCEPT_FAILED,
          WARNING,
          null,
          () -> "cannot accept a connection, trying again in " + PAUSE_MILLIS + " ms: " + error);
    }
  }

  private void pause(ChannelHandlerContext ctx) {
    Channel listening = ctx.channel();
    if (!paused && listening.isOpen()) {
      paused = true;
      listening.config().setAutoRead(false);
      Runnable goOn = () -> {
        paused = false;
        if (listening.isOpen()) {
          listening.config().setAutoRead(true);
        }
      };
      ctx.executor().schedule(goOn, PAUSE_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    if (!closing.getAsBoolean()) {
      log.log(
          Event.LISTENING_ENDED,
          ERROR,
          null,
          () -> "the listening socket " + ctx.channel().localAddress()
              + " was closed by an error: no more connections are accepted");
    }
    ctx.fireChannelInactive();
  }
}
