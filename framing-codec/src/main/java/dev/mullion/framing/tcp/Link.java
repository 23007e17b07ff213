package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.TooLargePolicy;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.DecoderException;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * The event loop's side of a connection: it hears of the channel, and hands on to its parts. All
 * but what is said otherwise is called by the loop's thread. Each file knows only those below it:
 *
 * <pre>{@code
 *  -------------------------------------------------------------------------------------------
 *  QueueLink, BatchLink    make the FramedConnection, and give bytes or frames to who handles them
 *  FramedConnection        what users call, by way of Sending, Receiving, Requests
 *  Link                    what the channel says, and in what kinds of connections differ
 *  Inbox, Arrivals         bytes that wait for somebody who pulls frames
 *  Draining                how it ends with its server
 *  Ending                  how it ends otherwise: InputState, OutputState, CloseState, Losses
 *  Outbound, Timeouts      what is sent by any thread, and the clocks
 *  Reading                 when it is read from, and what it holds in memory
 *  LinkContext             channel, settings, log, and the ways to the event loop
 * }</pre>
 */
abstract class Link extends LinkContext {
  final Reading reading;
  final Ending ending;
  final Draining draining;
  private final Timeouts timeouts;
  private final CompletableFuture<Void> closed = new CompletableFuture<>();
  private @Nullable Outbound outbound;

  Link(ConnectionSettings settings, LoopWatch watch, boolean secure) {
    super(settings, watch, secure);
    reading = new Reading(this);
    timeouts = new Timeouts(this, reading);
    ending = new Ending(this, reading, timeouts, this::outbound);
    draining = new Draining(this, reading, ending);
  }

  /**
   * Returns what frames are pulled from.
   *
   * @param way by whom
   * @throws IllegalStateException if a batch handler has them
   */
  abstract Inbox inbox(String way);

  /** Encodes part of a buffer as a reply, and keeps it until the end of the read. */
  abstract void reply(ByteBuf buffer, int index, int length) throws FramingException;

  /** Takes over frames as a reply, and keeps them until the end of the read. */
  abstract void reply(EncodedFrames frames);

  /** Returns the format of the next frame that is received. */
  abstract FrameFormat format();

  /** Uses another format from the next frame on, in both directions. */
  abstract void format(FrameFormat format);

  /** Takes the bytes that have come and are in no frame that was received. */
  abstract byte[] takeReceivedBytes();

  /** What any thread sends goes into it. */
  final Outbound outbound() {
    return requireNonNull(outbound, "outbound");
  }

  /** Completes when the connection is closed. */
  final CompletableFuture<Void> closed() {
    return closed;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    super.handlerAdded(ctx);
    ctx.pipeline().addFirst(output);
    if (secure) {
      TlsInput.addTo(ctx.pipeline(), reading);
    }
    watch.add(this);
    reading.begin();
  }

  @Override
  public void channelActive(ChannelHandlerContext ctx) {
    if (!secure) {
      open();
    }
    ctx.fireChannelActive();
  }

  /** Called when bytes or frames can go to and fro. */
  final void open() {
    if (isOpened()) {
      return;
    }
    noteConnected();
    outbound = new Outbound(this, reading);
    prepare();
    noteOpened();
    guarded(this::onOpened);
  }

  @Override
  final void abort(@Nullable Throwable why) {
    ending.abort(why);
  }

  @Override
  public final void look(long now, long most) {
    // The handshake has a timeout of its own.
    if (isOpened() && context().channel().isActive()) {
      outbound().noteHeld();
      timeouts.look(now, most);
    }
  }

  /**
   * Ends what others wait for while the event loop is held, and closes when it is free again. Any
   * thread may call it; returns whether what is lost was counted.
   */
  final boolean cutFromOutside(IOException why) {
    boolean counted = ending.cutFromOutside(why);
    outbound().end(why);
    onCutFromOutside(why);
    return counted;
  }

  /**
   * Waits for the end for {@code closeTimeout}, and then closes by force. If it is interrupted, it
   * returns, and the end comes as it would have. Any other thread than the event loop's may call
   * it.
   */
  final void awaitClosed() {
    CompletableFuture<Void> end = closed
        .copy()
        .exceptionally(error -> null)
        .orTimeout(settings.closeNanos(), TimeUnit.NANOSECONDS);
    end.whenComplete((done, late) -> {
      if (late != null) {
        abort(null);
      }
    });
    try {
      end.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      LOG.log(DEBUG, "connection was closed by force (peer " + peer() + ")", e);
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    // Part of a TLS record, or of a frame that is collected, is something that came too.
    timeouts.active();
    if (isOpened()) {
      afterRead();
    } else {
      reading.limitMemory();
    }
    ctx.fireChannelReadComplete();
  }

  /**
   * Pauses reading if the peer does not read either, or if memory is short; not for what is
   * dropped.
   */
  private void afterRead() {
    boolean drops = ending.closesWithPeer();
    if (!drops && outbound().isFull()) {
      reading.pause(Reading.PEER_BEHIND);
    }
    outbound().noteHeld();
    if (!drops) {
      reading.limitMemory();
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable() && isOpened()) {
      outbound().roomMayBeThere();
      outbound().noteHeld();
      reading.resume(Reading.PEER_BEHIND);
    }
    ctx.fireChannelWritabilityChanged();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      if (!secure) {
        ending.peerEnds();
      } else if (!ending.isPeerEnded()) {
        ending.cut();
      }
    } else if (secure && TlsEvents.isCloseNotify(event)) {
      ending.peerEnds();
    } else if (secure && TlsEvents.isHandshakeDone(event)) {
      open();
    } else if (secure && ctx.channel().isActive()) {
      // The channel may be closed before the error itself comes, and that of a timeout never comes.
      Throwable failure = TlsEvents.handshakeFailure(event);
      if (failure != null) {
        tlsFailed(failure);
      }
    }
    ctx.fireUserEventTriggered(event);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable error) {
    if (error instanceof FrameTooLargeException tooLarge
        && settings.tooLargePolicy() == TooLargePolicy.REPORT) {
      log(Event.FRAME_TOO_LARGE, INFO, String.valueOf(tooLarge.getMessage()), null);
    } else if (error instanceof FramingException framing) {
      ending.broken(framing);
    } else if (error instanceof IOException lost) {
      log(Event.CONNECTION_LOST, DEBUG, "connection lost" + ofPeer(ctx), error);
      ending.lost(secure && !isOpened() ? new IOException(Ending.ENDED_IN_HANDSHAKE, error) : lost);
    } else if (error instanceof DecoderException
        && error.getCause() instanceof SSLException cause) {
      tlsFailed(TlsEvents.inPlainWords(cause));
      ending.abort(null);
    } else {
      // Such as a length encoding of the user's, which the codec calls.
      totals.handlersFailed.increment();
      log(Event.HANDLER_FAILED, WARNING, "closing connection" + ofPeer(ctx), error);
      ending.abort(error);
    }
  }

  private void tlsFailed(Throwable error) {
    if (ending.cause() == null) {
      log(Event.TLS_FAILED, INFO, "TLS failed: " + error.getMessage() + ofPeer(context()), null);
    }
    ending.because(error);
  }

  private static String ofPeer(ChannelHandlerContext ctx) {
    return " (peer " + ctx.channel().remoteAddress() + ")";
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    watch.remove(this);
    try {
      if (isOpened()) {
        ended();
      } else if (secure) {
        totals.handshakesFailed.increment();
      }
    } finally {
      reading.end();
      ctx.fireChannelInactive();
    }
  }

  /** The end of a channel that never was active: it is not told of any other. */
  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    watch.remove(this);
    reading.end();
  }

  /** Each step is taken whatever another has thrown: somebody waits for it. */
  private void ended() {
    try {
      ending.closed();
    } finally {
      guarded(() -> onClosed(ending.cause()));
      // After that, since what it has thrown may be the cause.
      endWaiting(ending.cause());
    }
  }

  private void endWaiting(@Nullable Throwable cause) {
    try {
      outbound().fail(new IOException("connection is closed (peer " + peer() + ")", cause));
    } finally {
      if (cause == null) {
        closed.complete(null);
      } else {
        closed.completeExceptionally(cause);
      }
    }
  }
}
