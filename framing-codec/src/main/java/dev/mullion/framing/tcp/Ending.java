package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.INFO;

import dev.mullion.framing.FramingException;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.socket.DuplexChannel;
import java.io.EOFException;
import java.io.IOException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * How a connection comes to its end: by the peer, by this side, by an error, or with its server.
 * All but what is said otherwise is called by the event loop's thread.
 */
final class Ending {
  static final String ENDED_IN_HANDSHAKE =
      "the peer ended the connection in the TLS handshake, perhaps since it does not speak TLS";

  private final LinkContext link;
  private final Reading reading;
  private final Timeouts timeouts;
  private final Supplier<Outbound> outbound;
  private final Losses losses;
  private volatile boolean stopping;
  private @Nullable Throwable cause;
  private Runnable onPeerEnd = () -> {};

  /** Any thread sets it, before the event loop moves the states. */
  private volatile boolean begun;

  private InputState input = InputState.OPEN;
  private OutputState output = OutputState.OPEN;
  private CloseState close = CloseState.OPEN;

  /** How often something came. */
  private long heard;

  private @Nullable ScheduledFuture<?> closeTimer;

  /**
   * @param outbound what is sent goes through, once the connection is open
   */
  Ending(LinkContext link, Reading reading, Timeouts timeouts, Supplier<Outbound> outbound) {
    this.link = link;
    this.reading = reading;
    this.timeouts = timeouts;
    this.outbound = outbound;
    losses = new Losses(link.totals, outbound);
  }

  /** Says that the server is stopping. */
  void stopping() {
    stopping = true;
  }

  /** Whether the server is stopping; any thread may ask. */
  boolean isStopping() {
    return stopping;
  }

  /**
   * Whether this side or the peer has ended its direction, or the connection; any thread may ask.
   */
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
    heard++;
  }

  /** How often something came. */
  long heard() {
    return heard;
  }

  boolean isPeerEnded() {
    return input == InputState.PEER_ENDED;
  }

  boolean isInputEnded() {
    return input.isEnded();
  }

  /** Whether the input ends behind the frame that has begun. */
  boolean isInputStopping() {
    return input == InputState.LAST_FRAME;
  }

  /** Whether what comes now is read and dropped: after its input's end nothing is answered. */
  boolean dropsInput() {
    return close.dropsInput() || (input.isEnded() && stopping);
  }

  /** Whether this side has closed in order, and reads and drops until the peer does. */
  boolean closesWithPeer() {
    return close.dropsInput();
  }

  /** Whether the end of this side has been sent. */
  boolean isOutputEnded() {
    return output == OutputState.ENDED;
  }

  private boolean isActive() {
    return link.context().channel().isActive();
  }

  /** The peer has ended its side in good order. With TLS it takes nothing more either. */
  void peerEnds() {
    if (close.dropsInput()) {
      input = InputState.PEER_ENDED;
      closeNow();
      return;
    }
    endInput(InputState.PEER_ENDED);
    if (output == OutputState.ENDED) {
      closeNow();
    } else if (output == OutputState.ENDING) {
      boundClosing();
    }
    onPeerEnd.run();
  }

  /** This side wants nothing more behind the frame that has begun, if one has. */
  void stopInput() {
    reading.resumeAll();
    input = InputState.LAST_FRAME;
    link.onInputStopping();
  }

  /** This side wants nothing more. */
  void endInput() {
    endInput(InputState.ENDED);
  }

  private void endInput(InputState end) {
    begun = true;
    boolean ended = input.isEnded();
    if (end.compareTo(input) > 0) {
      input = end;
    }
    if (!link.isOpened()) {
      link.context().close();
    } else if (!ended) {
      if (dropsInput()) {
        reading.resumeAll();
      }
      link.guarded(link::onInputEnded);
    }
  }

  /** The peer broke the format: the frames before that are answered. Any thread may call it. */
  void broken(FramingException error) {
    link.runOnLoop(() -> {
      if (cause == null && !close.isClosed()) {
        // Else the stream was cut by this side, or that has been logged already.
        link.log(Event.of(error), INFO, String.valueOf(error.getMessage()), null);
        cause = error;
      }
      finish();
    });
  }

  /** The peer, or the network, ended a TLS connection without TLS having said so. */
  void cut() {
    if (output == OutputState.ENDED) {
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
    abort(close.dropsInput() ? null : why);
  }

  /** Sends what was taken and closes, with an error. Any thread may call it. */
  void finish(Throwable why) {
    link.runOnLoop(() -> {
      because(why);
      finish();
    });
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
      if (stopping && (heard > 0 || hasSent())) {
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
      if (output == OutputState.OPEN) {
        output = OutputState.ENDING;
      }
      if (isPeerEnded()) {
        boundClosing();
      }
    });
  }

  private void sendRest(String why) {
    Outbound rest = outbound.get();
    rest.end(new IOException(why + " (peer " + link.peer() + ")"));
    rest.drain();
    link.flushReplies();
  }

  private void whenWritten(Runnable then) {
    link.wire().writeAndFlush(Unpooled.EMPTY_BUFFER).addListener((ChannelFutureListener)
        // Netty counts what it has just written until its listeners have been told.
        done -> done.channel().eventLoop().execute(then));
  }

  private void boundClosing() {
    if (output != OutputState.ENDED) {
      timeouts.boundClosing();
    }
  }

  private void shutOutput() {
    Channel channel = link.context().channel();
    // TLS ends both sides, but at a stop the peer may not know that yet, and goes on sending.
    boolean isHalf = !link.secure || stopping;
    if (channel instanceof DuplexChannel duplex && isHalf && !isPeerEnded()) {
      sendEnd(duplex);
    } else {
      closeInOrder();
    }
  }

  /** Sends the end of this side, behind which nothing can be. */
  private void sendEnd(DuplexChannel channel) {
    if (output == OutputState.ENDED) {
      return;
    }
    link.onOutputEnding();
    output = OutputState.ENDED;
    timeouts.outputEnded();
    if (link.secure) {
      TlsEvents.closeOutbound(channel.pipeline(), channel::shutdownOutput);
    } else {
      channel.shutdownOutput();
    }
  }

  /**
   * Closes a connection that has sent everything, when its peer has ended too, or half of {@code
   * closeTimeout} is over. What a peer still sends would reset a socket that is closed, with all
   * that the peer has not got or not read. Nothing can be lost where nothing was sent.
   *
   * <pre>{@code
   *  this side   --- frames --- FIN ---|--- reads and drops -------|--- close
   *  the peer    --- what it still sends --- reads the end --- FIN -|
   * }</pre>
   */
  private void closeInOrder() {
    if (close != CloseState.OPEN) {
      return;
    }
    if (isPeerEnded()
        || !isActive()
        || !mayLoseOutput()
        || !(link.context().channel() instanceof DuplexChannel duplex)) {
      closeNow();
      return;
    }
    close = CloseState.WITH_PEER;
    sendEnd(duplex);
    reading.resumeAll();
    link.guarded(link::onInputDropped);
    closeTimer = link.context()
        .executor()
        .schedule(this::closeNow, link.settings.closeNanos() / 2, TimeUnit.NANOSECONDS);
  }

  /** A server of TLS may not have got the end of the handshake yet. */
  private boolean mayLoseOutput() {
    return hasSent() || (link.secure && TlsEvents.isClient(link.context().pipeline()));
  }

  private boolean hasSent() {
    return link.counters.bytesSent() > 0;
  }

  /** Closes the socket. */
  void closeNow() {
    if (isActive()) {
      close = close.dropsInput() ? CloseState.IN_ORDER : CloseState.AT_ONCE;
      losses.noteUnsent(link.isOpened() ? outbound.get().unsent() : 0);
    }
    link.context().close();
  }

  /**
   * Counts what is left to send as lost, while the event loop is held by a callback, and has it
   * close the connection when that returns. Any thread may call it; returns whether it has counted.
   */
  boolean cutFromOutside(IOException why) {
    boolean counts = losses.countHeld();
    abort(why);
    return counts;
  }

  /** Works out, when the channel is closed, what the cause was and what is lost. */
  void closed() {
    if (closeTimer != null) {
      closeTimer.cancel(false);
    }
    boolean outputEnded = output == OutputState.ENDED;
    if (link.secure && !isPeerEnded() && !outputEnded && !close.isClosed() && cause == null) {
      cause = cutError();
    }
    long outputLeft = reading.outputLeft();
    if (!close.isClosed() && outputLeft > 0) {
      // A write failed, and Netty has closed the connection without a word.
      losses.noteUnsent(outputLeft);
      because(new IOException("connection was lost with bytes to send (peer " + link.peer() + ")"));
    }
    losses.countAtEnd();
    if (cause != null) {
      link.totals.connectionsFailed.increment();
    } else if (outputEnded && !isPeerEnded() && hasSent()) {
      link.totals.closesUnconfirmed.increment();
    }
  }
}
