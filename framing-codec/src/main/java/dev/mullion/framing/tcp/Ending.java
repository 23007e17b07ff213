package dev.mullion.framing.tcp;

import static java.lang.System.Logger.Level.INFO;

import dev.mullion.framing.FramingException;
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
 * How a connection ends: by the peer, by this side, by an error, or with its server. The event
 * loop's thread calls everything, unless noted otherwise.
 */
final class Ending {
  static final String ENDED_IN_HANDSHAKE =
      "peer closed the connection during the TLS handshake (it may not use TLS)";

  private final LinkContext link;
  private final Reading reading;
  final Timeouts timeouts;
  private final Supplier<Outbound> outbound;
  private volatile boolean stopping;
  private @Nullable Throwable cause;
  private Runnable onPeerEnd = () -> {};

  /** Set by any thread, before the event loop changes the states. */
  private volatile boolean begun;

  private InputState input = InputState.OPEN;
  private OutputState output = OutputState.OPEN;
  private CloseState close = CloseState.OPEN;

  /** The number of times that input arrived. */
  private long heard;

  private @Nullable ScheduledFuture<?> closeTimer;

  /** @param outbound the queue of outgoing frames, once the connection is open */
  Ending(LinkContext link, Reading reading, Timeouts timeouts, Supplier<Outbound> outbound) {
    this.link = link;
    this.reading = reading;
    this.timeouts = timeouts;
    this.outbound = outbound;
  }

  /** Notes that the server is stopping. */
  void stopping() {
    stopping = true;
  }

  /** Whether the server is stopping; any thread may call it. */
  boolean isStopping() {
    return stopping;
  }

  /**
   * Whether either side has ended its direction, or the connection has ended; any thread may call
   * it.
   */
  boolean hasBegun() {
    return begun;
  }

  /** Sets the action for when the peer has ended its side and the receiver has been notified. */
  void whenPeerEnds(Runnable action) {
    onPeerEnd = action;
  }

  /** Returns the error that ended the connection, or {@code null}. */
  @Nullable
  Throwable cause() {
    return cause;
  }

  /** Records the error that ended the connection, unless one is recorded. */
  void because(@Nullable Throwable why) {
    if (cause == null) {
      cause = why;
    }
  }

  /** Notes that input arrived. */
  void active() {
    heard++;
  }

  /** The number of times that input arrived. */
  long heard() {
    return heard;
  }

  boolean isPeerEnded() {
    return input == InputState.PEER_ENDED;
  }

  boolean isInputEnded() {
    return input.isEnded();
  }

  /** Whether the input ends after the current, incomplete frame. */
  boolean isInputStopping() {
    return input == InputState.LAST_FRAME;
  }

  /** Whether input is now read and dropped: nothing is answered after the input's end. */
  boolean dropsInput() {
    return close.dropsInput() || (input.isEnded() && stopping);
  }

  /** Whether this side has closed the socket. */
  boolean isClosed() {
    return close.isClosed();
  }

  /** Whether this side has closed in order; it reads and drops input until the peer closes. */
  boolean closesWithPeer() {
    return close.dropsInput();
  }

  /** Whether the end of this side's output has been sent. */
  boolean isOutputEnded() {
    return output == OutputState.ENDED;
  }

  private boolean isActive() {
    return link.context().channel().isActive();
  }

  /** The peer has ended its side in order. With TLS it then accepts no more output either. */
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

  /** This side accepts no input after the current, incomplete frame. */
  void stopInput() {
    reading.resumeAll();
    input = InputState.LAST_FRAME;
    link.onInputStopping();
  }

  /** This side accepts no more input. */
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

  /** The peer broke the format; frames before that are answered. Any thread may call it. */
  void broken(FramingException error) {
    link.runOnLoop(() -> {
      if (cause == null && !close.isClosed()) {
        // Otherwise this side cut the stream, or the error is already logged.
        link.log(Event.of(error), INFO, String.valueOf(error.getMessage()), null);
        cause = error;
      }
      finish();
    });
  }

  /** The peer, or the network, closed a TLS connection without close_notify. */
  void cut() {
    if (output == OutputState.ENDED) {
      // This side has sent close_notify; not every peer replies to it.
      closeNow();
    } else {
      abort(cutError());
    }
  }

  private EOFException cutError() {
    String text =
        link.isOpened() ? "connection closed without TLS close_notify" : ENDED_IN_HANDSHAKE;
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

  /** The network has closed the connection. After the end of this side that is no failure. */
  void lost(IOException why) {
    abort(close.dropsInput() ? null : why);
  }

  /** Sends the queued frames and closes, with an error. Any thread may call it. */
  void finish(Throwable why) {
    link.runOnLoop(() -> {
      because(why);
      finish();
    });
  }

  /** Accepts no more frames, sends the queued ones, and closes. Any thread may call it. */
  void finish() {
    begun = true;
    link.runOnLoop(() -> {
      if (!link.isOpened() || !isActive()) {
        link.context().close();
        return;
      }
      sendRest("connection was closed");
      if (stopping && (heard > 0 || hasSent())) {
        // Closing while the peer sends would reset the connection; the peer could lose its replies.
        endInput();
        whenWritten(this::shutOutput);
      } else {
        whenWritten(this::closeInOrder);
      }
      boundClosing();
    });
  }

  /** Sends the queued frames and then a FIN; the peer may keep sending. Any thread may call it. */
  void finishOutput() {
    begun = true;
    link.runOnLoop(() -> {
      if (!link.isOpened() || !isActive()) {
        return; // The output has already ended.
      }
      sendRest("output was ended");
      whenWritten(this::shutOutput);
      outputEnds();
    });
  }

  /** Ends the output after the queued frames. Any thread may call it. */
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
    link.mark().addListener((ChannelFutureListener)
        // Netty counts bytes as pending until the write's listeners were notified.
        done -> done.channel().eventLoop().execute(then));
    link.flush();
  }

  private void boundClosing() {
    if (output != OutputState.ENDED) {
      timeouts.boundClosing();
    }
  }

  private void shutOutput() {
    Channel channel = link.context().channel();
    // TLS ends both sides, but during a stop the peer may not know that yet and keeps sending.
    boolean isHalf = !link.secure || stopping;
    if (channel instanceof DuplexChannel duplex && isHalf && !isPeerEnded()) {
      sendEnd(duplex);
    } else {
      closeInOrder();
    }
  }

  /** Sends the end of this side; nothing can be sent after it. */
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
   * Closes a connection that has sent everything, once its peer has ended too or half of {@code
   * closeTimeout} has passed. Closing earlier would reset the connection if the peer still sends,
   * and the peer could lose data it has not read. If nothing was sent, nothing can be lost.
   *
   * <pre>{@code
   *  this side   --- frames --- FIN ---|--- reads and drops -------|--- close
   *  the peer    --- late frames ---------- reads the end --- FIN --|
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

  /** A TLS server may not have received the end of the handshake yet. */
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
      if (link.isOpened()) {
        outbound.get().losses.noteUnsent();
      }
    }
    link.context().close();
  }

  /**
   * Counts unsent bytes as lost while a callback holds the event loop; the connection closes when
   * the callback returns. Any thread may call it; returns whether it has counted.
   */
  boolean cutFromOutside(IOException why) {
    boolean counts = outbound.get().losses.countHeld();
    abort(why);
    return counts;
  }

  /** Determines the cause and the lost bytes when the channel is closed. */
  void closed() {
    timeouts.outputEnded();
    if (closeTimer != null) {
      closeTimer.cancel(false);
    }
    boolean outputEnded = output == OutputState.ENDED;
    if (link.secure && !isPeerEnded() && !outputEnded && !close.isClosed() && cause == null) {
      cause = cutError();
    }
    long outputLeft = reading.outputLeft();
    if (!close.isClosed() && outputLeft > 0) {
      // A write failed, and Netty closed the connection without reporting it.
      outbound.get().losses.noteUnsent(outputLeft);
      because(new IOException("connection was lost with unsent bytes (peer " + link.peer() + ")"));
    }
    outbound.get().losses.countAtEnd();
    if (cause != null) {
      link.totals().connectionsFailed.increment();
    } else if (outputEnded && !isPeerEnded() && hasSent()) {
      link.totals().closesUnconfirmed.increment();
    }
  }
}
