package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.TooLargePolicy;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.DecoderException;
import java.io.EOFException;
import java.io.IOException;
import java.net.SocketAddress;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * The event loop's side of a connection: when it is read from, what its timeouts are, and how it ends.
 * All but what is said otherwise is called by the loop's thread.
 */
abstract class Link extends ChannelInboundHandlerAdapter {
  static final System.Logger LOG = System.getLogger("dev.mullion.framing.tcp");

  /** Why a connection is not read from; several may hold. */
  static final int HANDLER_BEHIND = 1;

  static final int PEER_BEHIND = 2;
  static final int MEMORY = 4;

  /** A connection on which nothing came for so long has sent what it had to send. */
  private static final long QUIET_MILLIS = 20;

  /** One that has been sent a FIN is closed when nothing came for so many times as long. */
  private static final int LAST_LOOKS = 10;

  /** The same when half of the time is over. */
  private static final int LATE_LAST_LOOKS = 3;

  /** In place of what is held, when nothing counts any more. */
  private static final long CLOSED = Long.MIN_VALUE;

  final ConnectionSettings settings;
  final TcpCounters totals;
  private final LoopWatch watch;
  private final boolean secure;
  private final AtomicLong held = new AtomicLong();
  private @Nullable ChannelHandlerContext context;
  private volatile @Nullable FramedConnection connection;
  private @Nullable SocketAddress peer;
  private volatile @Nullable Thread thread;
  private @Nullable Throwable cause;
  private int pauses;
  private boolean opened;
  private boolean inputEnded;
  private boolean inputStops;
  private boolean heard;
  private boolean peerEnded;
  private boolean closedHere;
  private boolean outputEnding;
  private boolean outputEnded;
  private boolean closing;
  private boolean readInInterval;
  private boolean readSinceQuiet;
  private int quietLooks;
  private long activeAt;
  private long pausedAt;
  private long waitedBefore;
  private long outputHeld;
  private long unsentAtClose;

  Link(ConnectionSettings settings, LoopWatch watch, boolean secure) {
    this.settings = settings;
    this.totals = settings.totals();
    this.watch = watch;
    this.secure = secure;
  }

  /** What a kind of connection does with its first moment. */
  abstract void onOpened(FramedConnection connection);

  /** What it does when the peer has ended its side, or the server wants no more of it. */
  abstract void onInputEnded(FramedConnection connection);

  /** Ends the input behind the frame that has begun, if one has, when the server stops. */
  abstract void stopInput();

  /** What it does when the server begins to stop. */
  abstract void onStopping(FramedConnection connection);

  /** What it does at the end. */
  abstract void onClosed(FramedConnection connection, @Nullable Throwable cause);

  /** Whether the peer is in the middle of a frame. */
  abstract boolean isInsideFrame();

  /** Since when the rest of a frame is missing, or 0. */
  abstract long insideSince(long now);

  /** The context from which bytes go straight to the socket, or to TLS. */
  ChannelHandlerContext wire() {
    return context();
  }

  final ChannelHandlerContext context() {
    return requireNonNull(context, "context");
  }

  final FramedConnection connection() {
    return requireNonNull(connection, "connection");
  }

  /** Any thread may call it. */
  final @Nullable SSLSession tlsSession() {
    return secure ? TlsEvents.session(context().pipeline()) : null;
  }

  /** Any thread may call it. */
  final @Nullable SocketAddress peer() {
    return peer;
  }

  /** The event loop's thread; any thread may ask. */
  final @Nullable Thread thread() {
    return thread;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
    activeAt = System.nanoTime();
    pausedAt = activeAt;
    watch.add(this);
    settings.budget().opened();
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
    if (opened) {
      return;
    }
    opened = true;
    thread = Thread.currentThread();
    peer = context().channel().remoteAddress();
    FramedConnection made = new FramedConnection(this);
    connection = made;
    guarded(() -> onOpened(made));
  }

  /** Calls a handler under the eyes of the watchdog. */
  final void guarded(Runnable call) {
    watch.enter(this);
    try {
      call.run();
    } catch (RuntimeException e) {
      handlerFailed(e);
    } finally {
      watch.exit();
    }
  }

  final boolean isOpened() {
    return connection != null;
  }

  /** Returns what ended the connection, if anything did. */
  final @Nullable Throwable failure() {
    return cause;
  }

  /** How many bytes have come that no handler has taken; any thread may ask. */
  long bytesNotTaken() {
    return 0;
  }

  final LoopWatch watch() {
    return watch;
  }

  final void handlerFailed(Throwable e) {
    totals.handlersFailed.increment();
    LOG.log(WARNING, "handler failed, closing connection (peer " + peer + ")", e);
    abort(e);
  }

  /** Says that something came. */
  final void active() {
    readInInterval = true;
    readSinceQuiet = true;
    heard = true;
  }

  /** Adds to what the connection holds in memory. Any thread may call it. */
  final void hold(long bytes) {
    if (bytes != 0 && held.getAndUpdate(was -> was == CLOSED ? CLOSED : was + bytes) != CLOSED) {
      settings.budget().add(bytes);
      if (bytes < 0) {
        settings.budget().holdsLess(this, held.get());
      }
    }
  }

  /** How many bytes the connection holds in memory; any thread may ask. */
  final long held() {
    return held.get();
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    afterRead();
    ctx.fireChannelReadComplete();
  }

  /** Pauses reading if the peer does not read either, or if memory is short. */
  final void afterRead() {
    FramedConnection present = connection;
    if (present == null) {
      return;
    }
    if (present.outbound().isFull()) {
      pause(PEER_BEHIND);
    }
    noteOutput();
    MemoryBudget budget = settings.budget();
    if ((pauses & MEMORY) == 0 && budget.isTooMuch(held.get()) && !budget.goesFirst(this)) {
      pause(MEMORY);
      budget.whenFree(this);
    }
  }

  /** Any thread may call it. */
  final void memoryIsFree() {
    runOnLoop(() -> resume(MEMORY));
  }

  /** Brings what is held up to date with the output, until that is gone with its channel. */
  final void noteOutput() {
    if (!context().channel().isActive()) {
      return;
    }
    long unsent = connection().outbound().held();
    if (unsent != outputHeld) {
      hold(unsent - outputHeld);
      outputHeld = unsent;
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable() && connection != null) {
      connection.outbound().roomMayBeThere();
      noteOutput();
      resume(PEER_BEHIND);
    }
    ctx.fireChannelWritabilityChanged();
  }

  final void pause(int reason) {
    if (pauses == 0) {
      autoRead(false);
    }
    if ((pauses & reason) == 0) {
      (reason == MEMORY ? totals.readsPausedForMemory : totals.readsPaused).increment();
    }
    pauses |= reason;
  }

  final void resume(int reason) {
    if ((pauses & reason) != 0) {
      pauses &= ~reason;
      if (pauses == 0) {
        autoRead(true);
      }
    }
  }

  /** On a socket that is closed it would fail, or meet another that has its number by now. */
  private void autoRead(boolean on) {
    if (context().channel().isActive()) {
      context().channel().config().setAutoRead(on);
    }
  }

  /** Any thread may call it. */
  final void runOnLoop(Runnable task) {
    if (context().executor().inEventLoop()) {
      task.run();
      return;
    }
    try {
      context().executor().execute(task);
    } catch (RejectedExecutionException e) {
      // The loop has ended, and with it every connection.
      if (context().channel().isOpen()) {
        throw e;
      }
    }
  }

  /** Like {@link #runOnLoop}, but in the calling thread if the loop has ended. */
  final void runOnLoopOrHere(Runnable task) {
    if (context().executor().inEventLoop()) {
      task.run();
      return;
    }
    try {
      context().executor().execute(task);
    } catch (RejectedExecutionException e) {
      task.run();
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent) {
      if (!secure) {
        peerEnds();
      } else if (!peerEnded) {
        abort(cut());
      }
    } else if (secure && TlsEvents.isCloseNotify(event)) {
      peerEnds();
    } else if (secure && TlsEvents.isHandshakeDone(event)) {
      open();
    } else if (secure && cause == null && ctx.channel().isActive()) {
      // The channel may be closed before the error itself comes.
      cause = TlsEvents.handshakeFailure(event);
    }
    ctx.fireUserEventTriggered(event);
  }

  /** The peer has ended its side in good order. With TLS it takes nothing more either. */
  private void peerEnds() {
    peerEnded = true;
    endInput();
    if (outputEnded) {
      closeNow();
    } else if (outputEnding) {
      boundClosing();
    }
  }

  /** Whether the peer has closed the connection, where no event has told so before. */
  final boolean wasClosedByPeer() {
    return !closedHere && cause == null;
  }

  /** The error of a stream that ends without TLS having said so. */
  private EOFException cut() {
    return new EOFException("connection was cut: TLS did not say that it ends (peer " + peer + ")");
  }

  final void endInput() {
    if (!inputEnded && connection != null) {
      inputEnded = true;
      if (dropsInput()) {
        resumeAll();
      }
      guarded(() -> onInputEnded(connection()));
    } else if (connection == null) {
      context().close();
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable error) {
    if (error instanceof FrameTooLargeException tooLarge
        && settings.tooLargePolicy() == TooLargePolicy.REPORT) {
      LOG.log(INFO, tooLarge.getMessage());
    } else if (error instanceof FramingException framing) {
      broken(framing);
    } else if (error instanceof IOException) {
      LOG.log(DEBUG, "connection lost (peer " + ctx.channel().remoteAddress() + ")", error);
      abort(error);
    } else if (error instanceof DecoderException && error.getCause() instanceof SSLException tls) {
      LOG.log(
          INFO,
          "TLS failed: " + tls.getMessage() + " (peer " + ctx.channel().remoteAddress() + ")");
      abort(tls);
    } else {
      LOG.log(WARNING, "closing connection (peer " + ctx.channel().remoteAddress() + ")", error);
      abort(error);
    }
  }

  /** The peer broke the format: the frames before that are answered. Any thread may call it. */
  final void broken(FramingException error) {
    runOnLoop(() -> {
      if (cause == null && !closedHere) {
        // Else the stream was cut by this side, or that has been logged already.
        LOG.log(INFO, error.getMessage());
        cause = error;
      }
      finish();
    });
  }

  /** Sends what was taken and closes, with an error. Any thread may call it. */
  final void finish(Throwable why) {
    runOnLoop(() -> {
      if (cause == null) {
        cause = why;
      }
      finish();
    });
  }

  /** Closes the connection at once. Any thread may call it. */
  final void abort(@Nullable Throwable why) {
    runOnLoop(() -> {
      if (cause == null) {
        cause = why;
      }
      closeNow();
    });
  }

  /** Takes no more frames to send, sends what there is, and closes. Any thread may call it. */
  final void finish() {
    runOnLoop(() -> {
      FramedConnection present = connection;
      if (present == null || !context().channel().isActive()) {
        context().close();
        return;
      }
      present.outbound().end(new IOException("connection was closed (peer " + peer + ")"));
      present.outbound().drain();
      flushReplies();
      if (present.isStopping() && heard) {
        // Closing while the peer sends would reset the connection, and it could lose its replies.
        endInput();
        whenWritten(this::shutOutput);
      } else {
        whenWritten(this::closeNow);
      }
      boundClosing();
    });
  }

  /** Sends what there is and then a FIN; the peer may go on sending. Any thread may call it. */
  final void finishOutput() {
    runOnLoop(() -> {
      connection().outbound().end(new IOException("output was ended (peer " + peer + ")"));
      connection().outbound().drain();
      flushReplies();
      whenWritten(this::shutOutput);
      ending();
    });
  }

  /** Says that nothing more is to be sent behind what waits. Any thread may call it. */
  final void ending() {
    runOnLoop(() -> {
      outputEnding = true;
      if (peerEnded) {
        boundClosing();
      }
    });
  }

  /** A peer that takes nothing of what is left for {@code closeTimeout} does not get it. */
  private void boundClosing() {
    if (!closing && context().channel().isActive()) {
      closing = true;
      boundClosing(connection().outbound().progressMark());
    }
  }

  private void boundClosing(long left) {
    Runnable look = () -> {
      long present = connection().outbound().progressMark();
      if (!context().channel().isActive() || outputEnded) {
        return;
      }
      if (present != left) {
        boundClosing(present);
      } else {
        timeOut("connection is not closed after " + millis(settings.closeNanos())
            + " ms in which nothing could be sent (closeTimeout, peer " + peer + ")");
      }
    };
    context().executor().schedule(look, settings.closeNanos(), TimeUnit.NANOSECONDS);
  }

  private void shutOutput() {
    if (context().channel() instanceof DuplexChannel duplex && !secure && !peerEnded) {
      outputEnded = true;
      quietLooks = 0;
      duplex.shutdownOutput();
    } else {
      closeNow();
    }
  }

  private void closeNow() {
    if (context().channel().isActive()) {
      closedHere = true;
      if (connection != null) {
        unsentAtClose = connection.outbound().unsent();
      }
    }
    context().close();
  }

  /** Sends the replies that the event loop has gathered. */
  void flushReplies() {}

  private void whenWritten(Runnable then) {
    wire().writeAndFlush(Unpooled.EMPTY_BUFFER).addListener((ChannelFutureListener)
        // Netty counts what it has just written until its listeners have been told.
        done -> done.channel().eventLoop().execute(then));
  }

  /** Looks at the timeouts. */
  final void look(long now) {
    FramedConnection present = connection;
    if (present == null) {
      return; // The handshake has a timeout of its own.
    }
    long waits = present.outbound().progressMark();
    if (readInInterval || waits != waitedBefore) {
      activeAt = now;
    }
    readInInterval = false;
    waitedBefore = waits;
    noteOutput();
    if ((pauses & ~MEMORY) != 0) {
      // The peer cannot be blamed for what is not read. Short memory is another matter: who holds
      // it with half a frame must give way some time.
      pausedAt = now;
    }
    long since = insideSince(now);
    long waited = since == 0 ? 0 : Math.min(now - since, now - pausedAt);
    if (settings.frameNanos() > 0 && waited >= settings.frameNanos()) {
      totals.framesTimedOut.increment();
      timeOut("frame is not complete after " + millis(waited) + " ms (frameTimeout: "
          + millis(settings.frameNanos()) + " ms, peer " + peer + ")");
    } else if (settings.idleNanos() > 0 && now - activeAt >= settings.idleNanos()) {
      totals.connectionsIdle.increment();
      timeOut("connection was idle for " + millis(now - activeAt) + " ms (idleTimeout: "
          + millis(settings.idleNanos()) + " ms, peer " + peer + ")");
    }
  }

  final boolean isPeerEnded() {
    return peerEnded;
  }

  final boolean isInputEnded() {
    return inputEnded;
  }

  private static long millis(long nanos) {
    return TimeUnit.NANOSECONDS.toMillis(nanos);
  }

  private void timeOut(String text) {
    LOG.log(DEBUG, text);
    abort(new java.net.SocketTimeoutException(text));
  }

  /**
   * Answers what has been received and closes. A peer that goes on sending is not answered any more
   * after so many nanoseconds, but is still read from, since closing now would reset the connection
   * and could take sent replies from it.
   */
  final void drain(long nanos) {
    FramedConnection present = connection;
    if (present == null) {
      context().close();
      return;
    }
    present.stopping();
    guarded(() -> onStopping(present));
    readSinceQuiet = false;
    lookAgain(System.nanoTime() + nanos);
  }

  private void lookWhileStopping(long until) {
    if (!context().channel().isOpen()) {
      return;
    }
    boolean late = System.nanoTime() - until >= 0;
    boolean busy = readSinceQuiet || isInsideFrame() || pauses != 0;
    quietLooks = readSinceQuiet ? 0 : quietLooks + 1;
    readSinceQuiet = false;
    if (dropsInput()) {
      closeIfQuiet(late ? LATE_LAST_LOOKS : LAST_LOOKS);
    } else if (!inputStops && (late || !busy)) {
      resumeAll();
      inputStops = true;
      stopInput();
    }
    lookAgain(until);
  }

  private void closeIfQuiet(int looks) {
    if (outputEnded && quietLooks >= looks) {
      closeNow();
    }
  }

  private void resumeAll() {
    pauses = 0;
    autoRead(true);
  }

  /** Whether the input ends behind the frame that has begun. */
  final boolean isInputStopping() {
    return inputStops;
  }

  /** Whether what comes now is read and dropped: after its input's end nothing is answered. */
  final boolean dropsInput() {
    return inputEnded && connection().isStopping();
  }

  private void lookAgain(long until) {
    context()
        .executor()
        .schedule(() -> lookWhileStopping(until), QUIET_MILLIS, TimeUnit.MILLISECONDS);
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    watch.remove(this);
    FramedConnection present = connection;
    if (present != null) {
      if (secure && !peerEnded && wasClosedByPeer()) {
        cause = cut();
      }
      if (!closedHere && outputHeld > 0) {
        lostWhileSending();
      }
      totals.bytesNotSent.add(Math.max(unsentAtClose, present.outbound().notHandedOn()));
      if (cause != null) {
        totals.connectionsFailed.increment();
      }
      guarded(() -> onClosed(present, cause));
      present.closed(cause);
    }
    settings.budget().closed(this, held.getAndSet(CLOSED));
    ctx.fireChannelInactive();
  }

  /** A write failed, and Netty has closed the connection without a word. */
  private void lostWhileSending() {
    unsentAtClose = outputHeld;
    if (cause == null) {
      cause = new IOException("connection was lost with bytes to send (peer " + peer + ")");
    }
  }
}
