package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FramePart;
import dev.mullion.framing.FramingException;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.SocketChannel;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Writes the frames, and the parts of long frames, of each read back as they lie. There is one for
 * each connection, on its event loop.
 */
final class EchoHandler extends ChannelInboundHandlerAdapter implements IdleWatch.Watched {
  private static final System.Logger LOG = System.getLogger("dev.mullion.framing.tcp");

  /** A connection on which nothing came for so long has sent what it had to send. */
  private static final long QUIET_MILLIS = 20;

  private final ServerCounters counters;
  private @Nullable ChannelHandlerContext context;
  private boolean reading;
  private boolean repliesWait;
  private boolean readSinceLook;
  private boolean readInInterval;
  private int idleIntervals;
  private long waitedBefore;
  private boolean insideFrame;
  private boolean stopping;
  private boolean stopped;

  EchoHandler(ServerCounters counters) {
    this.counters = counters;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    readSinceLook = true;
    readInInterval = true;
    if (stopped) {
      return;
    }
    if (!reading) {
      reading = true;
      repliesWait = bytesThatWait(ctx) > 0;
    }
    EncodedFrames reply = encoded(msg);
    ctx.write(repliesWait ? owned(reply) : reply, ctx.voidPromise());
    insideFrame = msg instanceof FramePart part && !part.isLast();
    if (stopping && !insideFrame) {
      stop(ctx);
    }
  }

  private static EncodedFrames encoded(Object msg) {
    return msg instanceof FrameBatch batch ? batch.encoded() : ((FramePart) msg).encoded();
  }

  private static long bytesThatWait(ChannelHandlerContext ctx) {
    ChannelOutboundBuffer replies = ctx.channel().unsafe().outboundBuffer();
    return replies == null ? 0 : replies.totalPendingWriteBytes() - replies.currentProgress();
  }

  /** Copies a reply that has to wait behind others, so that not each holds a whole read buffer. */
  private static EncodedFrames owned(EncodedFrames reply) {
    try {
      return reply.copy();
    } finally {
      reply.release();
    }
  }

  /** Sends the replies. A peer that does not read them is not read from until it has. */
  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    reading = false;
    ctx.flush();
    if (!stopped && !ctx.channel().isWritable()) {
      ctx.channel().config().setAutoRead(false);
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable()) {
      ctx.channel().config().setAutoRead(true);
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      closeWhenSent(ctx);
    }
  }

  /** Closes a connection on which nothing has come or gone for so many intervals. */
  @Override
  public void intervalPassed() {
    ChannelHandlerContext ctx = requireNonNull(context, "context");
    long waiting = bytesThatWait(ctx);
    boolean active = readInInterval || waiting != waitedBefore;
    readInInterval = false;
    waitedBefore = waiting;
    idleIntervals = active ? 0 : idleIntervals + 1;
    if (idleIntervals == IdleWatch.INTERVALS) {
      counters.connectionsIdle.increment();
      LOG.log(DEBUG, "closing idle connection (peer {0})", ctx.channel().remoteAddress());
      ctx.close();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    if (cause instanceof FramingException) {
      // The codec closes the channel where it must; the text has the peer.
      LOG.log(INFO, cause.getMessage());
      // The frames before it are answered.
      ctx.flush();
    } else if (cause instanceof IOException) {
      LOG.log(DEBUG, "connection lost (peer " + ctx.channel().remoteAddress() + ")", cause);
      ctx.close();
    } else {
      LOG.log(WARNING, "closing connection (peer " + ctx.channel().remoteAddress() + ")", cause);
      ctx.close();
    }
  }

  /**
   * Answers what has been received and closes. A peer that goes on sending is not answered any more
   * after so many nanoseconds, but is still read from, since closing now would reset the connection
   * and could take sent replies from it.
   */
  void drain(long nanos) {
    ChannelHandlerContext ctx = requireNonNull(context, "context");
    readSinceLook = false;
    lookAgain(ctx, System.nanoTime() + nanos);
  }

  private void look(ChannelHandlerContext ctx, long until) {
    boolean busy = readSinceLook || insideFrame || !ctx.channel().isWritable();
    readSinceLook = false;
    if (System.nanoTime() - until >= 0) {
      stopping = true;
      if (!insideFrame) {
        stop(ctx);
      }
    } else if (busy) {
      lookAgain(ctx, until);
    } else {
      closeWhenSent(ctx);
    }
  }

  private void stop(ChannelHandlerContext ctx) {
    stopped = true;
    ctx.channel().config().setAutoRead(true);
    ctx.writeAndFlush(new EncodedFrames(Unpooled.EMPTY_BUFFER, 0))
        .addListener(sent -> ((SocketChannel) ctx.channel()).shutdownOutput());
  }

  private void lookAgain(ChannelHandlerContext ctx, long until) {
    ctx.executor().schedule(() -> look(ctx, until), QUIET_MILLIS, TimeUnit.MILLISECONDS);
  }

  private static void closeWhenSent(ChannelHandlerContext ctx) {
    ctx.writeAndFlush(new EncodedFrames(Unpooled.EMPTY_BUFFER, 0))
        .addListener(ChannelFutureListener.CLOSE);
  }
}
