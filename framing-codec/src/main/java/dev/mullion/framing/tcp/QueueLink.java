package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameFormat;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A connection whose bytes wait in an {@link Inbox} for a receiver that pulls frames. */
final class QueueLink extends Link {
  private final Consumer<FramedConnection> onOpened;
  private @Nullable Inbox inbox;

  /** @param onOpened runs for a new connection, on the event loop */
  QueueLink(
      ConnectionSettings settings,
      LoopWatch watch,
      boolean secure,
      Consumer<FramedConnection> onOpened) {
    super(settings, watch, secure);
    this.onOpened = onOpened;
  }

  @Override
  void prepare() {
    inbox = new Inbox(this, reading, ending);
  }

  @Override
  void onOpened() {
    onOpened.accept(new FramedConnection(this));
  }

  Inbox inbox() {
    return requireNonNull(inbox, "inbox");
  }

  @Override
  Inbox inbox(String way) {
    return inbox();
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    ByteBuf bytes = (ByteBuf) msg;
    Inbox present = inbox;
    ending.active();
    if (present == null || present.isAbandoned() || ending.dropsInput()) {
      totals().bytesNotHandled.add(bytes.readableBytes());
      bytes.release();
      return;
    }
    if (present.arrivals.put(bytes) > settings.inboundHigh()) {
      reading.pause(Reading.HANDLER_BEHIND);
      if (present.arrivals.isEmpty()) {
        // The receiver has just taken everything, and has not seen the pause.
        reading.resume(Reading.HANDLER_BEHIND);
      }
    }
    present.arrivals.arrived();
  }

  @Override
  void reply(ByteBuf buffer, int index, int length) {
    throw BatchLink.replyElsewhere();
  }

  @Override
  void reply(EncodedFrames frames) {
    frames.release();
    throw BatchLink.replyElsewhere();
  }

  @Override
  FrameFormat format() {
    return inbox().format();
  }

  @Override
  void format(FrameFormat format) {
    outbound().sendLock.format(format);
    inbox().format(format);
  }

  @Override
  byte[] takeReceivedBytes() {
    return inbox().takeBytes();
  }

  @Override
  void onInputEnded() {
    end(null);
  }

  @Override
  void onInputDropped() {
    end(closedError(null));
  }

  @Override
  void onInputStopping() {
    inbox().arrivals.endAfterFrame();
    inbox().arrivals.arrived();
  }

  @Override
  void onStopping() {
    // The handler polls for it.
  }

  @Override
  void onOutputEnding() {
    // Everything sent is written.
  }

  @Override
  void onClosed(@Nullable Throwable cause) {
    end(cause == null && ending.isInputEnded() ? null : closedError(cause));
  }

  @Override
  void onCutFromOutside(IOException why) {
    inbox().arrivals.end(why);
  }

  private void end(@Nullable IOException why) {
    inbox().arrivals.end(why);
    inbox().arrivals.arrived();
  }

  private IOException closedError(@Nullable Throwable cause) {
    return new IOException("connection is closed (peer " + peer() + ")", cause);
  }

  @Override
  boolean isInsideFrame() {
    return inbox().insideSince() != 0;
  }

  @Override
  long insideSince(long now) {
    return inbox().insideSince();
  }

  @Override
  boolean waitsForHandler() {
    return inbox().waitsForHandler();
  }

  @Override
  long bytesNotTaken() {
    return inbox().bytesLeft();
  }

  @Override
  void flushReplies() {
    // There are no such replies.
  }

  @Override
  void emitReplies() {
    // There are no such replies.
  }
}
