package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A connection whose bytes wait in an {@link Inbox} for somebody who pulls frames from it. */
final class QueueLink extends Link {
  private final Consumer<FramedConnection> onOpened;
  private @Nullable Inbox inbox;
  private volatile @Nullable Runnable onArrival;
  private volatile boolean abandoned;

  /**
   * @param onOpened what to do with a new connection, on the event loop
   */
  QueueLink(
      ConnectionSettings settings,
      LoopWatch watch,
      boolean secure,
      Consumer<FramedConnection> onOpened) {
    super(settings, watch, secure);
    this.onOpened = onOpened;
  }

  @Override
  void onOpened(FramedConnection connection) {
    inbox = connection.inbox();
    onOpened.accept(connection);
  }

  /** Sets what the event loop does when something has come, or the end. Any thread may call it. */
  void onArrival(Runnable action) {
    onArrival = action;
    runOnLoop(action);
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    ByteBuf bytes = (ByteBuf) msg;
    Inbox present = inbox;
    active();
    if (present == null || abandoned || ending.dropsInput()) {
      totals.bytesNotHandled.add(bytes.readableBytes());
      bytes.release();
      return;
    }
    if (present.put(bytes) > settings.inboundHigh()) {
      reading.pause(Reading.HANDLER_BEHIND);
      if (present.isEmpty()) {
        // Its reader has just taken everything, and has not seen the pause.
        reading.resume(Reading.HANDLER_BEHIND);
      }
    }
    arrived();
  }

  /** Says that nobody takes frames any more, with the connection about to be closed. Any thread. */
  void abandon() {
    if (!abandoned) {
      abandoned = true;
      totals.bytesNotHandled.add(bytesNotTaken());
    }
  }

  private void arrived() {
    Runnable action = onArrival;
    if (action != null) {
      guarded(action);
    }
  }

  /** Reads on. Called by the thread that has taken everything. */
  void inboxEmptied() {
    // A resume that finds no pause does nothing, and a pause is only ever set for bytes that wait.
    if (context().executor().inEventLoop()) {
      reading.resume(Reading.HANDLER_BEHIND);
    } else if (!context().channel().config().isAutoRead()) {
      runOnLoop(() -> reading.resume(Reading.HANDLER_BEHIND));
    }
  }

  @Override
  void onInputEnded(FramedConnection connection) {
    connection.inbox().end(null);
    arrived();
  }

  @Override
  void onInputDropped() {
    connection().inbox().end(closedError(null));
    arrived();
  }

  @Override
  void stopInput() {
    connection().inbox().endAfterFrame();
    arrived();
  }

  /** Any thread may call it: the last frame that is wanted has been taken. */
  void inputStopped() {
    runOnLoop(ending::endInput);
  }

  @Override
  void onStopping(FramedConnection connection) {
    // The handler sees it when it asks.
  }

  @Override
  boolean isInsideFrame() {
    return connection().inbox().insideSince() != 0;
  }

  @Override
  long insideSince(long now) {
    return connection().inbox().insideSince();
  }

  @Override
  boolean waitsForHandler() {
    return connection().inbox().waitsForHandler();
  }

  @Override
  long bytesNotTaken() {
    return connection().inbox().bytesLeft();
  }

  @Override
  void onClosed(FramedConnection connection, @Nullable Throwable cause) {
    connection.inbox().end(cause == null && ending.isInputEnded() ? null : closedError(cause));
    arrived();
  }

  private IOException closedError(@Nullable Throwable cause) {
    return new IOException("connection is closed (peer " + peer() + ")", cause);
  }
}
