package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.BatchDecoder;
import dev.mullion.framing.BatchReceiver;
import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramePart;
import dev.mullion.framing.FramingException;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A connection whose frames are handled on the event loop as they arrive. */
final class BatchLink extends Link implements BatchReceiver {
  private static final String REPLY =
      "reply() requires a batch handler on its event loop (expected: send, trySend or sendAsync)";

  private final BatchHandler handler;
  private final BatchDecoder decoder;
  private FrameFormat format;
  private @Nullable FramedConnection connection;

  private final BatchReplies replies = new BatchReplies(this);
  private boolean inside;
  private boolean completed;
  private long insideSince;
  private long inputHeld;

  BatchLink(ConnectionSettings settings, LoopWatch watch, boolean secure, BatchHandler handler) {
    super(settings, watch, secure);
    this.handler = handler;
    format = settings.format();
    decoder = new BatchDecoder(
        format, settings.tooLargePolicy(), settings.parts(), settings.totals().frames(), this);
  }

  static IllegalStateException replyElsewhere() {
    return new IllegalStateException(REPLY);
  }

  @Override
  void prepare() {
    connection = new FramedConnection(this);
  }

  private FramedConnection connection() {
    return requireNonNull(connection, "connection");
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    super.handlerAdded(ctx);
    ChannelConfig config = ctx.channel().config();
    if (secure && config.getRecvByteBufAllocator() instanceof ReadBuffers reads) {
      config.setRecvByteBufAllocator(reads.upTo(Sockets.MAX_READ, this::secureRead));
    }
  }

  /**
   * Returns how much to read. One large read needs fewer system calls for itself and its replies.
   * As much room is left for the replies as short reads need.
   */
  private int secureRead() {
    long room = isOpened() ? Math.max(0, settings.outboundHigh() - held()) : 0;
    return (int) Math.min(Sockets.MAX_READ, Sockets.MAX_SECURE_READ + room);
  }

  @Override
  Inbox inbox(String way) {
    throw Claim.taken("the batch handler", way);
  }

  @Override
  byte[] takeReceivedBytes() {
    throw new IllegalStateException("the batch handler takes the received bytes");
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    ending.active();
    replies.readBegins();
    decoder.add((ByteBuf) msg);
  }

  @Override
  public void frames(FrameBatch batch) {
    completed = true;
    FramedConnection connection = connection();
    watch.enter(this);
    try {
      handle(connection, batch);
    } catch (Throwable e) {
      // As in guarded(), without allocating an object per read.
      handlerFailed(e);
    } finally {
      watch.exit();
    }
    stopInputIfDue();
  }

  @Override
  public void skipped() {
    completed = true;
    stopInputIfDue();
  }

  @Override
  public void part(FramePart part) {
    completed |= part.isLast();
    counters.received(part.isLast() ? 1 : 0, part.wireLength());
    guarded(() -> handler.part(connection(), part));
    stopInputIfDue();
  }

  /** After a frame: what follows it may be left for nobody. */
  private void stopInputIfDue() {
    if (ending.isClosed()) {
      // Its handler has failed, or closed it: the rest of the read is not handled.
      onInputDropped();
    } else if (ending.isInputStopping()) {
      onInputStopping();
    }
  }

  @Override
  public void failed(FramingException error) {
    exceptionCaught(context(), error);
    if (decoder.isFailed()) {
      context().close();
    }
  }

  /** The connection or its server is ending: later input is not decoded. */
  @Override
  public void rest(ByteBuf bytes) {
    totals().bytesNotHandled.add(bytes.readableBytes());
    bytes.release();
  }

  @Override
  void onInputStopping() {
    if (!isInsideFrame()) {
      ending.endInput();
    }
  }

  private void handle(FramedConnection connection, FrameBatch batch) {
    int size = batch.size();
    int length = batch.wireLength();
    counters.received(size, length);
    try {
      handler.frames(connection, batch);
    } finally {
      if (batch.size() < size) {
        counters.received(batch.size() - size, batch.wireLength() - length);
      }
    }
  }

  @Override
  FrameFormat format() {
    return format;
  }

  @Override
  void format(FrameFormat format) {
    if (isElsewhere()) {
      throw new IllegalStateException(
          "format() with a batch handler must be called on its event loop");
    }
    if (decoder.isInsideFrame() && decoder.bufferedBytes() == 0) {
      throw new IllegalStateException(
          "format cannot change inside a frame delivered in parts or skipped");
    }
    replies.format(format);
    outbound().sendLock.format(format);
    this.format = format;
    // Last: collected bytes may be frames now.
    try {
      decoder.format(format);
    } catch (RuntimeException | Error e) {
      exceptionCaught(context(), e);
    }
    noteProgress();
  }

  private boolean isElsewhere() {
    return thread() != Thread.currentThread();
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    // First: completing a frame that the flush sends may cause replies too.
    replies.readEnds();
    noteProgress();
    super.channelReadComplete(ctx);
  }

  /** Notes whether a frame is incomplete, when what was received has been decoded. */
  private void noteProgress() {
    boolean insideNow = decoder.isInsideFrame();
    if (completed || insideNow != inside) {
      insideSince = 0;
    }
    inside = insideNow;
    completed = false;
    noteInput();
  }

  private void noteInput() {
    long buffered = decoder.bufferedMemory();
    if (buffered != inputHeld) {
      reading.hold(buffered - inputHeld);
      inputHeld = buffered;
    }
  }

  @Override
  void onCutFromOutside(IOException why) {
    // The handler is notified at the end.
  }

  @Override
  boolean waitsForHandler() {
    return false;
  }

  @Override
  long bytesNotTaken() {
    return 0;
  }

  @Override
  boolean isInsideFrame() {
    return decoder.isInsideFrame();
  }

  @Override
  long insideSince(long now) {
    if (!inside) {
      return 0;
    }
    if (insideSince == 0) {
      insideSince = now;
    }
    return insideSince;
  }

  @Override
  void reply(ByteBuf buffer, int index, int length) throws FramingException {
    if (isElsewhere()) {
      throw replyElsewhere();
    }
    replies.add(buffer, index, length);
  }

  @Override
  void reply(EncodedFrames frames) {
    if (isElsewhere()) {
      frames.release();
      throw replyElsewhere();
    }
    replies.add(frames);
  }

  @Override
  void emitReplies() {
    replies.emit();
  }

  @Override
  void flushReplies() {
    replies.flush();
  }

  @Override
  void onOutputEnding() {
    replies.outputEnds();
  }

  @Override
  void onOpened() {
    handler.opened(connection());
    flushReplies();
  }

  @Override
  void onStopping() {
    handler.stopping(connection());
    flushReplies();
  }

  @Override
  void onInputEnded() {
    if (ending.isStopping()) {
      // Later input is not decoded, nor is the rest of this read.
      onInputDropped();
      ending.finish();
    } else {
      handler.inputEnded(connection());
    }
    flushReplies();
  }

  @Override
  void onInputDropped() {
    decoder.stop();
    noteInput();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent
        || event instanceof ChannelInputShutdownReadComplete) {
      decoder.end();
    }
    super.userEventTriggered(ctx, event);
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    decoder.end();
    super.channelInactive(ctx);
  }

  @Override
  void onClosed(@Nullable Throwable cause) {
    replies.closed();
    handler.closed(connection(), cause);
  }
}
