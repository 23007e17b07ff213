package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.WARNING;
import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.net.SocketAddress;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/**
 * The common base of the parts of a {@link Link}: its channel, settings and log, access to its
 * event loop, and the methods in which kinds of connections differ. The loop's thread calls
 * everything, unless noted otherwise.
 */
abstract class LinkContext extends ChannelInboundHandlerAdapter implements LoopWatch.Watched {
  static final System.Logger LOG = System.getLogger("dev.mullion.framing.tcp");

  final ConnectionSettings settings;
  final ConnectionCounters counters = new ConnectionCounters();
  final SocketOutput output = new SocketOutput();
  final LoopWatch watch;
  final boolean secure;
  private @Nullable ChannelHandlerContext context;
  private int place = -1;
  private volatile boolean opened;

  LinkContext(ConnectionSettings settings, LoopWatch watch, boolean secure) {
    this.settings = settings;
    this.watch = watch;
    this.secure = secure;
  }

  /** Creates the parts of a kind of connection, before any other thread can see that it is open. */
  abstract void prepare();

  /** Called when the connection is open. */
  abstract void onOpened();

  /** Called when the peer has ended its side, or the server accepts no more input. */
  abstract void onInputEnded();

  /** Ends the input after the current, incomplete frame, when the server stops. */
  abstract void onInputStopping();

  /** Called when this side has closed: later input is dropped. */
  abstract void onInputDropped();

  /** Called when the server begins to stop. */
  abstract void onStopping();

  /** Called before the FIN is sent; nothing can be sent after it. */
  abstract void onOutputEnding();

  /** Called at the end. */
  abstract void onClosed(@Nullable Throwable cause);

  /** Ends the wait for a frame while the event loop is held. Any thread may call it. */
  abstract void onCutFromOutside(IOException why);

  /** Whether the peer is in the middle of a frame. */
  abstract boolean isInsideFrame();

  /** When the rest of a frame began to be missing, or 0. */
  abstract long insideSince(long now);

  /** Whether received bytes wait that no handler has seen. */
  abstract boolean waitsForHandler();

  /** Returns the received bytes that no handler has taken; any thread may call it. */
  abstract long bytesNotTaken();

  /** Sends the replies that the event loop has collected. */
  abstract void flushReplies();

  /** Passes on the collected replies without a flush, so that later writes follow them. */
  abstract void emitReplies();

  /** Closes the connection at once, with an error. Any thread may call it. */
  abstract void abort(@Nullable Throwable why);

  /** Writes bytes to the socket, or to TLS. */
  final void write(ByteBuf bytes) {
    write(bytes, context().channel().unsafe().voidPromise());
  }

  /** Writes nothing; the future tells when everything before it is written. */
  final ChannelFuture mark() {
    ChannelPromise promise = context().newPromise();
    write(Unpooled.EMPTY_BUFFER, promise);
    return promise;
  }

  private void write(ByteBuf bytes, ChannelPromise promise) {
    if (secure) {
      context().write(bytes, promise);
    } else {
      output.write(context(), bytes, promise);
    }
  }

  /** Lets TLS encrypt what is written. It goes to the socket with the next flush. */
  final void encrypt() {
    output.collect(true);
    try {
      context().flush();
    } finally {
      output.collect(false);
    }
  }

  /** Flushes what is written. */
  final void flush() {
    if (secure) {
      context().flush();
    } else {
      output.flush(context());
    }
  }

  final TcpCounters totals() {
    return settings.totals();
  }

  /** Whether Netty has more to write than the bound. After a FIN there is nothing to write. */
  final boolean isNettyFull() {
    ChannelOutboundBuffer queue = context().channel().unsafe().outboundBuffer();
    return queue != null && !queue.isWritable();
  }

  /** Returns the bytes that Netty has to write; any thread may call it. */
  final long bytesInNetty() {
    ChannelOutboundBuffer queue = context().channel().unsafe().outboundBuffer();
    return queue == null ? 0 : queue.totalPendingWriteBytes();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    context = ctx;
    if (secure) {
      ctx.pipeline().addFirst(output);
    } else {
      output.handlerAdded(ctx);
    }
  }

  @Override
  public final int place() {
    return place;
  }

  @Override
  public final void place(int place) {
    this.place = place;
  }

  /** Makes the open connection visible to any thread. */
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
    // Netty keeps it, even when the socket is closed.
    return context().channel().remoteAddress();
  }

  @Override
  public final @Nullable Thread thread() {
    return watch.thread();
  }

  /**
   * Calls user code, observed by the watchdog. Any exception, even an undeclared checked one, ends
   * the connection and is not passed on.
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

  /** Handles every exception of user code. Any thread may call it. */
  @Override
  public final void handlerFailed(Throwable e) {
    totals().handlersFailed.increment();
    log(
        Event.HANDLER_FAILED,
        WARNING,
        "handler failed, closing connection (peer " + peer() + ")",
        e);
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
