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
 * Handles failures to accept a connection, for instance when file descriptors are exhausted. It
 * counts the failure, pauses, and accepts again: without the pause the next attempt would follow at
 * once, since the connection is still in the backlog. It passes no exception on to the event loop,
 * which an exception could end.
 */
final class AcceptFailures extends ChannelInboundHandlerAdapter {
  private static final long PAUSE_MILLIS = 100;

  private final TcpCounters totals;
  private final BoundedLog<Event> log;
  private final BooleanSupplier closing;
  private boolean paused;

  /** @param closing whether the server is closing the listening channel */
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
          () -> "cannot accept a connection, retrying in " + PAUSE_MILLIS + " ms: " + error);
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
          () -> "listening socket " + ctx.channel().localAddress()
              + " failed: no more connections are accepted");
    }
    ctx.fireChannelInactive();
  }
}
