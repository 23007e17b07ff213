package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.SocketAddress;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * What all parts of a {@link Link} stand on: its channel, settings and log, the ways to its event
 * loop, and the methods in which kinds of connections differ. All but what is said otherwise is
 * called by the loop's thread.
 */
abstract class LinkContext extends ChannelInboundHandlerAdapter implements LoopWatch.Watched {
  static final System.Logger LOG = System.getLogger("dev.mullion.framing.tcp");

  final ConnectionSettings settings;
  final TcpCounters totals;
  final ConnectionCounters counters = new ConnectionCounters();
  final SocketOutput output = new SocketOutput();
  final LoopWatch watch;
  final boolean secure;
  private @Nullable ChannelHandlerContext context;
  private @Nullable SocketAddress peer;
  private volatile @Nullable Thread thread;
  private volatile boolean opened;

  LinkContext(ConnectionSettings settings, LoopWatch watch, boolean secure) {
    this.settings = settings;
    this.totals = settings.totals();
    this.watch = watch;
    this.secure = secure;
  }

  /** Makes what a kind of connection needs, before any other thread can see that it is open. */
  abstract void prepare();

  /** What a kind of connection does with its first moment. */
  abstract void onOpened();

  /** What it does when the peer has ended its side, or the server wants no more of it. */
  abstract void onInputEnded();

  /** Ends the input behind the frame that has begun, if one has, when the server stops. */
  abstract void onInputStopping();

  /** What it does when this side has closed: what still comes is for nobody. */
  abstract void onInputDropped();

  /** What it does when the server begins to stop. */
  abstract void onStopping();

  /** Called before the FIN is sent, behind which nothing can be. */
  abstract void onOutputEnding();

  /** What it does at the end. */
  abstract void onClosed(@Nullable Throwable cause);

  /** Tells whoever waits for a frame of the end, while the event loop is held. Any thread. */
  abstract void onCutFromOutside(IOException why);

  /** Whether the peer is in the middle of a frame. */
  abstract boolean isInsideFrame();

  /** Since when the rest of a frame is missing, or 0. */
  abstract long insideSince(long now);

  /** Whether bytes have come that no handler has looked at. */
  abstract boolean waitsForHandler();

  /** How many bytes have come that no handler has taken; any thread may ask. */
  abstract long bytesNotTaken();

  /** Sends the replies that the event loop has gathered. */
  abstract void flushReplies();

  /** Hands them on without a flush, so that what is written now comes behind them. */
  abstract void emitReplies();

  /** Closes the connection at once, with an error. Any thread may call it. */
  abstract void abort(@Nullable Throwable why);

  /** The context from which bytes go straight to the socket, or to TLS. */
  ChannelHandlerContext wire() {
    return context();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
  }

  /** Notes that bytes or frames can go to and fro. */
  final void noteConnected() {
    thread = Thread.currentThread();
    peer = context().channel().remoteAddress();
  }

  /** Lets any thread see that the connection is open. */
  final void noteOpened() {
    opened = true;
  }

  final boolean isOpened() {
    return opened;
  }

  final ChannelHandlerContext context() {
    return requireNonNull(context, "context");
  }

  /** Any thread may call it. */
  final @Nullable SSLSession tlsSession() {
    return secure ? TlsEvents.session(context().pipeline()) : null;
  }

  @Override
  public final @Nullable SocketAddress peer() {
    return peer;
  }

  @Override
  public final @Nullable Thread thread() {
    return thread;
  }

  /**
   * Calls code that is not the library's, under the eyes of the watchdog. Whatever it throws, also
   * a checked exception that nobody declares, ends the connection and goes no further.
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

  /** The one end of whatever code that is not the library's has thrown. Any thread may call it. */
  @Override
  public final void handlerFailed(Throwable e) {
    totals.handlersFailed.increment();
    log(Event.HANDLER_FAILED, WARNING, "handler failed, closing connection (peer " + peer + ")", e);
    abort(e);
  }

  @Override
  public final void log(Event event, Level level, String text, @Nullable Throwable error) {
    settings.log().log(event, level, context().channel().remoteAddress(), () -> text, error);
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
}
