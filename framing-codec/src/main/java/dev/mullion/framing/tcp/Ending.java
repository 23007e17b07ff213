package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.DEBUG;
import static java.lang.System.Logger.Level.INFO;

import dev.mullion.framing.FrameTooLargeException;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.TruncatedFrameException;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.socket.DuplexChannel;
import java.io.EOFException;
import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * How a connection comes to its end: by the peer, by this side, by an error, or with its server. All
 * but what is said otherwise is called by the event loop's thread.
 */
final class Ending {
  static final String ENDED_IN_HANDSHAKE =
      "the peer ended the connection in the TLS handshake, perhaps since it does not speak TLS";

  /** A connection on which nothing came for so long has sent what it had to send. */
  private static final long QUIET_MILLIS = 20;

  /**
   * One that was quiet, and has been sent a FIN, is closed when nothing came for so many times as
   * long: TCP itself may pause for 200 ms when a window was closed.
   */
  private static final int LAST_LOOKS = 15;

  /** The same when half of the time is over. */
  private static final int LATE_LAST_LOOKS = 3;

  private final Link link;
  private final boolean secure;
  private @Nullable Throwable cause;
  private boolean heard;
  private boolean heardSinceQuiet;
  private volatile boolean begun;
  private Runnable onPeerEnd = () -> {};
  private boolean peerEnded;
  private boolean inputStops;
  private boolean peerGoesOn;
  private boolean inputEnded;
  private boolean outputEnding;
  private boolean outputEnded;
  private boolean bounded;
  private boolean closedHere;

  /** Whether this side has closed, and waits for the end of the peer's. */
  private boolean closesWithPeer;

  private @Nullable ScheduledFuture<?> closeTimer;
  private int quietLooks;
  private long unsentAtClose;
  private final AtomicBoolean lossCounted = new AtomicBoolean();

  Ending(Link link, boolean secure) {
    this.link = link;
    this.secure = secure;
  }

  /** Whether this side or the peer has ended its direction, or the connection; any thread may ask. */
  boolean hasBegun() {
    return begun;
  }

  /** Sets what is done when the peer has ended its side, and what takes frames has been told. */
  void whenPeerEnds(Runnable action) {
    onPeerEnd = action;
  }

  /** Returns what ended the connection, if an error did. */
  @Nullable
  Throwable cause() {
    return cause;
  }

  /** Says what ended the connection, if that is not known yet. */
  void because(@Nullable Throwable why) {
    if (cause == null) {
      cause = why;
    }
  }

  /** Says that something came. */
  void active() {
    heard = true;
    heardSinceQuiet = true;
  }

  boolean isPeerEnded() {
    return peerEnded;
  }

  boolean isInputEnded() {
    return inputEnded;
  }

  /** Whether the input ends behind the frame that has begun. */
  boolean isInputStopping() {
    return inputStops;
  }

  /** Whether what comes now is read and dropped: after its input's end nothing is answered. */
  boolean dropsInput() {
    return closesWithPeer || (inputEnded && link.connection().isStopping());
  }

  /** Whether this side has closed in order, and reads and drops until the peer does. */
  boolean closesWithPeer() {
    return closesWithPeer;
  }

  private boolean isActive() {
    return link.context().channel().isActive();
  }

  /** The peer has ended its side in good order. With TLS it takes nothing more either. */
  void peerEnds() {
    peerEnded = true;
    if (closesWithPeer) {
      closeNow();
      return;
    }
    endInput();
    if (outputEnded) {
      closeNow();
    } else if (outputEnding) {
      boundClosing();
    }
    onPeerEnd.run();
  }

  void endInput() {
    begun = true;
    if (!link.isOpened()) {
      link.context().close();
    } else if (!inputEnded) {
      inputEnded = true;
      if (dropsInput()) {
        link.reading.resumeAll();
      }
      link.guarded(() -> link.onInputEnded(link.connection()));
    }
  }

  /** The peer broke the format: the frames before that are answered. Any thread may call it. */
  void broken(FramingException error) {
    link.runOnLoop(() -> {
      if (cause == null && !closedHere) {
        // Else the stream was cut by this side, or that has been logged already.
        link.log(kind(error), INFO, String.valueOf(error.getMessage()), null);
        cause = error;
      }
      finish();
    });
  }

  private static Event kind(FramingException error) {
    return error instanceof FrameTooLargeException
        ? Event.FRAME_TOO_LARGE
        : error instanceof TruncatedFrameException ? Event.FRAME_TRUNCATED : Event.FRAME_CORRUPT;
  }

  /** The peer, or the network, ended a TLS connection without TLS having said so. */
  void cut() {
    if (outputEnded) {
      // This side has said that it ends, and not everyone replies to that.
      closeNow();
    } else {
      abort(cutError());
    }
  }

  private EOFException cutError() {
    String text =
        link.isOpened() ? "connection was cut: TLS did not say that it ends" : ENDED_IN_HANDSHAKE;
    return new EOFException(text + " (peer " + link.context().channel().remoteAddress() + ")");
  }

  /** Closes the connection at once. Any thread may call it. */
  void abort(@Nullable Throwable why) {
    begun = true;
    link.runOnLoop(() -> {
      because(why);
      closeNow();
    });
  }

  /** The network has ended the connection. Behind the end of this side that is no failure. */
  void lost(IOException why) {
    abort(closesWithPeer ? null : why);
  }

  /** Sends what was taken and closes, with an error. Any thread may call it. */
  void finish(Throwable why) {
    link.runOnLoop(() -> {
      because(why);
      finish();
    });
  }

  /**
   * Waits for the end for {@code closeTimeout}, and then closes by force. If it is interrupted, it
   * returns, and the end comes as it would have. Any other thread than the event loop's may call it.
   */
  void awaitClosed(CompletableFuture<Void> closed) {
    CompletableFuture<Void> end = closed
        .exceptionally(error -> null)
        .orTimeout(link.settings.closeNanos(), TimeUnit.NANOSECONDS);
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
      Link.LOG.log(DEBUG, "connection was closed by force (peer " + link.peer() + ")", e);
    }
  }

  /** Takes no more frames to send, sends what there is, and closes. Any thread may call it. */
  void finish() {
    begun = true;
    link.runOnLoop(() -> {
      if (!link.isOpened() || !isActive()) {
        link.context().close();
        return;
      }
      sendRest("connection was closed");
      if (link.connection().isStopping() && (heard || hasSent())) {
        // Closing while the peer sends would reset the connection, and it could lose its replies.
        endInput();
        whenWritten(this::shutOutput);
      } else {
        whenWritten(this::closeInOrder);
      }
      boundClosing();
    });
  }

  /** Sends what there is and then a FIN; the peer may go on sending. Any thread may call it. */
  void finishOutput() {
    begun = true;
    link.runOnLoop(() -> {
      if (!link.isOpened() || !isActive()) {
        return; // There is no output any more.
      }
      sendRest("output was ended");
      whenWritten(this::shutOutput);
      outputEnds();
    });
  }

  /** Says that nothing more is to be sent behind what waits. Any thread may call it. */
  void outputEnds() {
    link.runOnLoop(() -> {
      outputEnding = true;
      if (peerEnded) {
        boundClosing();
      }
    });
  }

  private void sendRest(String why) {
    Outbound outbound = link.connection().outbound();
    outbound.end(new IOException(why + " (peer " + link.peer() + ")"));
    outbound.drain();
    link.flushReplies();
  }

  private void whenWritten(Runnable then) {
    link.wire().writeAndFlush(Unpooled.EMPTY_BUFFER).addListener((ChannelFutureListener)
        // Netty counts what it has just written until its listeners have been told.
        done -> done.channel().eventLoop().execute(then));
  }

  /** A peer that takes nothing of what is left for {@code closeTimeout} does not get it. */
  private void boundClosing() {
    if (!bounded && isActive()) {
      bounded = true;
      lookAtProgress(link.output.sent());
    }
  }

  private void lookAtProgress(long before) {
    Runnable look = () -> {
      if (!isActive() || outputEnded) {
        return;
      }
      long mark = link.output.sent();
      if (mark != before) {
        lookAtProgress(mark);
      } else {
        link.timeouts.closingTakesTooLong();
      }
    };
    link.context().executor().schedule(look, link.settings.closeNanos(), TimeUnit.NANOSECONDS);
  }

  private void shutOutput() {
    Channel channel = link.context().channel();
    // TLS ends both sides, but at a stop the peer may not know that yet, and goes on sending.
    boolean isHalf = !secure || link.connection().isStopping();
    if (channel instanceof DuplexChannel duplex && isHalf && !peerEnded) {
      sendEnd(duplex);
    } else {
      closeInOrder();
    }
  }

  /** Sends the end of this side, behind which nothing can be. */
  private void sendEnd(DuplexChannel channel) {
    if (outputEnded) {
      return;
    }
    link.onOutputEnding();
    outputEnded = true;
    quietLooks = 0;
    if (secure) {
      TlsEvents.closeOutbound(channel.pipeline(), channel::shutdownOutput);
    } else {
      channel.shutdownOutput();
    }
  }

  /**
   * Closes a connection that has sent everything, when its peer has ended too, or half of {@code
   * closeTimeout} is over. What a peer still sends would reset a socket that is closed, with all that
   * the peer has not got or not read. Nothing can be lost where nothing was sent.
   *
   * <pre>{@code
   *  this side   --- frames --- FIN ---|--- reads and drops -------|--- close
   *  the peer    --- what it still sends --- reads the end --- FIN -|
   * }</pre>
   */
  private void closeInOrder() {
    if (closesWithPeer) {
      return;
    }
    if (peerEnded
        || !isActive()
        || !mayLoseOutput()
        || !(link.context().channel() instanceof DuplexChannel duplex)) {
      closeNow();
      return;
    }
    closesWithPeer = true;
    sendEnd(duplex);
    link.reading.resumeAll();
    link.guarded(link::onInputDropped);
    closeTimer = link.context()
        .executor()
        .schedule(this::closeNow, link.settings.closeNanos() / 2, TimeUnit.NANOSECONDS);
  }

  /** A server of TLS may not have got the end of the handshake yet. */
  private boolean mayLoseOutput() {
    return hasSent() || (secure && TlsEvents.isClient(link.context().pipeline()));
  }

  private boolean hasSent() {
    return link.connection().counters().bytesSent() > 0;
  }

  private void closeNow() {
    if (isActive()) {
      closedHere = true;
      unsentAtClose = link.isOpened() ? link.connection().outbound().unsent() : 0;
    }
    link.context().close();
  }

  /**
   * Answers what has been received and closes. A peer that goes on sending is not answered any more
   * after so many nanoseconds, but is still read from, since closing now would reset the connection
   * and could take sent replies from it.
   */
  void drain(long nanos) {
    if (!link.isOpened()) {
      link.context().close();
      return;
    }
    link.connection().stopping();
    link.guarded(() -> link.onStopping(link.connection()));
    heardSinceQuiet = false;
    lookAgain(System.nanoTime() + nanos);
  }

  private void lookAgain(long until) {
    link.context()
        .executor()
        .schedule(() -> lookWhileStopping(until), QUIET_MILLIS, TimeUnit.MILLISECONDS);
  }

  private void lookWhileStopping(long until) {
    if (!link.context().channel().isOpen()) {
      return;
    }
    boolean late = System.nanoTime() - until >= 0;
    boolean busy = heardSinceQuiet || link.isInsideFrame() || link.reading.isPaused();
    quietLooks = heardSinceQuiet ? 0 : quietLooks + 1;
    heardSinceQuiet = false;
    if (dropsInput()) {
      closeIfQuiet(late ? LATE_LAST_LOOKS : LAST_LOOKS);
    } else if (!inputStops && (late || !busy)) {
      link.reading.resumeAll();
      inputStops = true;
      peerGoesOn = busy;
      link.stopInput();
    }
    lookAgain(until);
  }

  private void closeIfQuiet(int looks) {
    if (outputEnded && !peerGoesOn && quietLooks >= looks) {
      closeNow();
    }
  }

  /**
   * Counts what is left to send as lost, while the event loop is held by a callback, and has it close
   * the connection when that returns. Any thread may call it; returns whether it has counted.
   */
  boolean cutFromOutside(IOException why) {
    boolean counts = lossCounted.compareAndSet(false, true);
    if (counts) {
      link.totals.bytesNotSent.add(link.connection().outbound().held());
    }
    abort(why);
    return counts;
  }

  /** Works out, when the channel is closed, what the cause was and what is lost. */
  void closed() {
    if (closeTimer != null) {
      closeTimer.cancel(false);
    }
    if (secure && !peerEnded && !outputEnded && !closedHere && cause == null) {
      cause = cutError();
    }
    long outputLeft = link.reading.outputLeft();
    if (!closedHere && outputLeft > 0) {
      // A write failed, and Netty has closed the connection without a word.
      unsentAtClose = outputLeft;
      because(new IOException("connection was lost with bytes to send (peer " + link.peer() + ")"));
    }
    long lost = Math.max(unsentAtClose, link.connection().outbound().notHandedOn());
    if (lossCounted.compareAndSet(false, true)) {
      link.totals.bytesNotSent.add(lost);
    }
    if (cause != null) {
      link.totals.connectionsFailed.increment();
    } else if (outputEnded && !peerEnded && hasSent()) {
      link.totals.closesUnconfirmed.increment();
    }
  }
}
