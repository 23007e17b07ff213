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
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import java.util.function.Supplier;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * The event loop's side of a connection: receives the channel's events and passes them to its
 * parts. The loop's thread calls everything, unless noted otherwise. Each file uses only those
 * below it:
 *
 * <pre>{@code
 *  -------------------------------------------------------------------------------------------
 *  QueueLink, BatchLink    create the FramedConnection, and pass bytes or frames to the handler
 *  FramedConnection        the public methods, through Sending, Receiving, Requests
 *  Link                    the channel's events, and the differences between kinds of connections
 *  Inbox, Arrivals         bytes that wait for a receiver that pulls frames
 *  Draining                the end with its server
 *  Ending                  every other end: InputState, OutputState, CloseState
 *  Outbound, Timeouts      the frames that any thread sends, their Losses, and the clocks
 *  Reading                 when it is read from, and the memory it holds
 *  LinkContext             channel, settings, log, and access to the event loop
 * }</pre>
 */
abstract class Link extends LinkContext implements Supplier<Outbound> {
  private static final AtomicReferenceFieldUpdater<Link, @Nullable Outbound> OUTBOUND =
      AtomicReferenceFieldUpdater.newUpdater(Link.class, Outbound.class, "outbound");

  @SuppressWarnings("rawtypes") // A class has no type arguments.
  private static final AtomicReferenceFieldUpdater<Link, @Nullable CompletableFuture> CLOSED =
      AtomicReferenceFieldUpdater.newUpdater(Link.class, CompletableFuture.class, "closed");

  final Reading reading;
  final Ending ending;
  private volatile @Nullable CompletableFuture<Void> closed;
  private volatile @Nullable Outbound outbound;

  Link(ConnectionSettings settings, LoopWatch watch, boolean secure) {
    super(settings, watch, secure);
    reading = new Reading(this);
    ending = new Ending(this, reading, new Timeouts(this, reading), this);
  }

  /**
   * Returns the inbox that frames are pulled from.
   *
   * @param way the way of receiving, for the error's text
   * @throws IllegalStateException if a batch handler receives the frames
   */
  abstract Inbox inbox(String way);

  /** Encodes part of a buffer as a reply, and keeps it until the end of the read. */
  abstract void reply(ByteBuf buffer, int index, int length) throws FramingException;

  /** Takes over frames as a reply, and keeps them until the end of the read. */
  abstract void reply(EncodedFrames frames);

  /** Returns the format of the next frame to receive. */
  abstract FrameFormat format();

  /** Switches to another format from the next frame on, in both directions. */
  abstract void format(FrameFormat format);

  /** Takes the received bytes that belong to no received frame. */
  abstract byte[] takeReceivedBytes();

  /**
   * The queue of the frames that any thread sends. It is made when it is first needed: a connection
   * that only replies in its batch handler has none until it ends.
   */
  final Outbound outbound() {
    Outbound present = outbound;
    if (present == null) {
      OUTBOUND.compareAndSet(this, null, new Outbound(this, reading));
      present = requireNonNull(outbound, "outbound");
    }
    return present;
  }

  @Override
  public final Outbound get() {
    return outbound();
  }

  /** Whether a reply must be queued after frames sent earlier. For the event loop. */
  final boolean isAheadOfReplies() {
    Outbound present = outbound;
    return present != null && present.isAheadOfReplies();
  }

  /** Returns the bytes that were accepted and are not in the kernel yet. */
  final long held() {
    Outbound present = outbound;
    return present == null ? bytesInNetty() : present.held();
  }

  /** On the event loop: reports the memory of all unsent frames. */
  final void noteHeld() {
    Outbound present = outbound;
    if (present != null) {
      present.noteHeld();
    } else if (context().channel().isActive()) {
      reading.noteOutput(output.memory(), output.pending());
    }
  }

  /** Answers the received frames and closes, when the server stops. */
  final void drain(long nanos) {
    new Draining(this, reading, ending).begin(nanos);
  }

  /** Completes when the connection is closed. It is made when it is first needed. */
  final CompletableFuture<Void> closed() {
    CompletableFuture<Void> present = closed;
    if (present == null) {
      CLOSED.compareAndSet(this, null, new CompletableFuture<Void>());
      present = requireNonNull(closed, "closed");
    }
    return present;
  }

  /** Whether everybody who waited for the end was told. */
  final boolean isClosed() {
    CompletableFuture<Void> present = closed;
    return present != null && present.isDone();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    super.handlerAdded(ctx);
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

  /** Called when bytes or frames can be sent and received. */
  final void open() {
    if (isOpened()) {
      return;
    }
    prepare();
    noteOpened();
    guarded(this::onOpened);
  }

  @Override
  final void abort(@Nullable Throwable why) {
    ending.abort(why);
  }

  @Override
  public final void look(long now, long passed) {
    // The handshake has its own timeout.
    if (isOpened() && context().channel().isActive()) {
      noteHeld();
      ending.timeouts.look(now, passed);
    }
  }

  /**
   * Ends pending waits while the event loop is held, and closes when it is free again. Any thread
   * may call it; returns whether lost bytes were counted.
   */
  final boolean cutFromOutside(IOException why) {
    boolean counted = ending.cutFromOutside(why);
    outbound().end(why);
    onCutFromOutside(why);
    return counted;
  }

  /**
   * Waits up to {@code closeTimeout} for the end, and then closes by force. An interrupt only ends
   * the waiting. May be called from any thread except the event loop's.
   */
  final void awaitClosed() {
    CompletableFuture<Void> end = closed()
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
    // Part of a TLS record, or of a collected frame, is input too.
    ending.timeouts.active();
    if (isOpened()) {
      afterRead();
    } else {
      reading.limitMemory();
    }
    ctx.fireChannelReadComplete();
  }

  /**
   * Pauses reading if the peer does not read either, or if memory is short; not while input is
   * dropped.
   */
  private void afterRead() {
    boolean drops = ending.closesWithPeer();
    if (!drops && isNettyFull()) {
      reading.pause(Reading.PEER_BEHIND);
    }
    noteHeld();
    if (!drops) {
      reading.limitMemory();
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable() && isOpened()) {
      Outbound present = outbound;
      if (present != null) {
        present.roomMayBeThere();
      }
      noteHeld();
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
      // The channel may close before the error is reported; a timeout's error is never reported.
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
      // For instance a user's length encoding, which decoding calls.
      totals().handlersFailed.increment();
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
        totals().handshakesFailed.increment();
      }
    } finally {
      reading.end();
      ctx.fireChannelInactive();
    }
  }

  /** Ends a channel that was never active: it gets no other event. */
  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    watch.remove(this);
    reading.end();
  }

  /** Each step runs even if another has thrown: somebody waits for it. */
  private void ended() {
    try {
      ending.closed();
    } finally {
      guarded(() -> onClosed(ending.cause()));
      // After that, since an exception it throws may be the cause.
      endWaiting(ending.cause());
    }
  }

  private void endWaiting(@Nullable Throwable cause) {
    try {
      outbound().fail(new IOException("connection is closed (peer " + peer() + ")", cause));
    } finally {
      if (cause == null) {
        closed().complete(null);
      } else {
        closed().completeExceptionally(cause);
      }
    }
  }
}
