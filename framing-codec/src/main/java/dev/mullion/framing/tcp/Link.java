package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.INFO;
import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.TooLargePolicy;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.handler.codec.DecoderException;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.SocketAddress;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * The event loop's side of a connection. When it is read from, its timeouts and its end are parts of
 * their own. All but what is said otherwise is called by the loop's thread.
 */
abstract class Link extends ChannelInboundHandlerAdapter {
  static final System.Logger LOG = System.getLogger("dev.mullion.framing.tcp");

  final ConnectionSettings settings;
  final TcpCounters totals;
  final SocketOutput output = new SocketOutput();
  final Reading reading;
  final Timeouts timeouts;
  final Ending ending;
  final Draining draining;
  private final LoopWatch watch;
  private final boolean secure;
  private @Nullable ChannelHandlerContext context;
  private volatile @Nullable FramedConnection connection;
  private @Nullable SocketAddress peer;
  private volatile @Nullable Thread thread;
  private boolean opened;

  Link(ConnectionSettings settings, LoopWatch watch, boolean secure) {
    this.settings = settings;
    this.totals = settings.totals();
    this.watch = watch;
    this.secure = secure;
    reading = new Reading(this);
    timeouts = new Timeouts(this);
    ending = new Ending(this, secure);
    draining = new Draining(this, ending);
  }

  /** What a kind of connection does with its first moment. */
  abstract void onOpened(FramedConnection connection);

  /** What it does when the peer has ended its side, or the server wants no more of it. */
  abstract void onInputEnded(FramedConnection connection);

  /** Ends the input behind the frame that has begun, if one has, when the server stops. */
  abstract void stopInput();

  /** What it does when this side has closed: what still comes is for nobody. */
  abstract void onInputDropped();

  /** What it does when the server begins to stop. */
  abstract void onStopping(FramedConnection connection);

  /** What it does at the end. */
  abstract void onClosed(FramedConnection connection, @Nullable Throwable cause);

  /** Whether the peer is in the middle of a frame. */
  abstract boolean isInsideFrame();

  /** Since when the rest of a frame is missing, or 0. */
  abstract long insideSince(long now);

  /** Whether bytes have come that no handler has looked at. */
  boolean waitsForHandler() {
    return false;
  }

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

  /**
   * Calls code that is not the library's, under the eyes of the watchdog. Whatever it throws, also a
   * checked exception that nobody declares, ends the connection and goes no further.
   */
  final void guarded(Runnable call) {
    watch.enter(this);
    try {
      call.run();
    } catch (Throwable e) {
      handlerFailed(e);
    } finally {
      watch.exit();
    }
  }

  final boolean isOpened() {
    return connection != null;
  }

  /** How many bytes have come that no handler has taken; any thread may ask. */
  long bytesNotTaken() {
    return 0;
  }

  final LoopWatch watch() {
    return watch;
  }

  /** The one end of whatever code that is not the library's has thrown. Any thread may call it. */
  final void handlerFailed(Throwable e) {
    totals.handlersFailed.increment();
    log(Event.HANDLER_FAILED, WARNING, "handler failed, closing connection (peer " + peer + ")", e);
    ending.abort(e);
  }

  final void log(Event event, Level level, String text, @Nullable Throwable error) {
    settings.log().log(event, level, context().channel().remoteAddress(), () -> text, error);
  }

  /** Says that something came. */
  final void active() {
    ending.active();
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    // Part of a TLS record, or of a frame that is collected, is something that came too.
    timeouts.active();
    if (isOpened()) {
      reading.afterRead();
    } else {
      reading.limitMemory();
    }
    ctx.fireChannelReadComplete();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (ctx.channel().isWritable() && isOpened()) {
      connection().outbound().roomMayBeThere();
      reading.peerReads();
    }
    ctx.fireChannelWritabilityChanged();
  }

  /** Any thread may call it. */
  final void runOnLoop(Runnable task) {
    runOnLoop(task, refused -> {
      // The loop has ended, and with it every connection.
      if (context().channel().isOpen()) {
        throw refused;
      }
    });
  }

  /** Like {@link #runOnLoop}, but in the calling thread if the loop has ended. */
  final void runOnLoopOrHere(Runnable task) {
    runOnLoop(task, refused -> task.run());
  }

  private void runOnLoop(Runnable task, Consumer<RejectedExecutionException> whenRefused) {
    if (context().executor().inEventLoop()) {
      task.run();
      return;
    }
    try {
      context().executor().execute(task);
    } catch (RejectedExecutionException e) {
      whenRefused.accept(e);
    }
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
      ending.lost(secure && !opened ? new IOException(Ending.ENDED_IN_HANDSHAKE, error) : lost);
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

  /** Sends the replies that the event loop has gathered. */
  void flushReplies() {}

  /** Hands them on without a flush, so that what is written now comes behind them. */
  void emitReplies() {}

  /** Called before the FIN is sent, behind which nothing can be. */
  void onOutputEnding() {}

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    watch.remove(this);
    try {
      FramedConnection present = connection;
      if (present != null) {
        ended(present);
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
  private void ended(FramedConnection present) {
    try {
      ending.closed();
    } finally {
      guarded(() -> onClosed(present, ending.cause()));
      present.closed(ending.cause());
    }
  }
}
