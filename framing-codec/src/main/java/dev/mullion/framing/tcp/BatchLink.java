package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.framing.EncodedFrames;
import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.FramePart;
import dev.mullion.framing.FramingException;
import dev.mullion.framing.LengthDelimitedCodec;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** A connection whose frames are handled on the event loop as they arrive. */
final class BatchLink extends Link {
  private static final String REPLY =
      "reply() requires a batch handler on its event loop (expected: send, trySend or sendAsync)";

  private final BatchHandler handler;
  private LengthDelimitedCodec codec;
  private @Nullable FramedConnection connection;

  /** Whether the codec was removed: the server is stopping and later input is not decoded. */
  private boolean codecGone;

  private final BatchReplies replies = new BatchReplies(this);
  private boolean inside;
  private boolean completed;
  private long insideSince;
  private long inputHeld;

  BatchLink(
      ConnectionSettings settings,
      LoopWatch watch,
      boolean secure,
      BatchHandler handler,
      LengthDelimitedCodec codec) {
    super(settings, watch, secure);
    this.handler = handler;
    this.codec = codec;
  }

  /** Returns a codec that only decodes, into batches. */
  static LengthDelimitedCodec codec(ConnectionSettings settings, FrameFormat format) {
    return LengthDelimitedCodec.builder()
        .format(format)
        .tooLargePolicy(settings.tooLargePolicy())
        .counters(settings.totals().frames())
        .batches(true)
        .parts(settings.parts())
        // Frames are encoded before they reach it.
        .decodeOnly(true)
        .build();
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
  Inbox inbox(String way) {
    throw Claim.taken("the batch handler", way);
  }

  @Override
  byte[] takeReceivedBytes() {
    throw new IllegalStateException("the batch handler takes the received bytes");
  }

  @Override
  ChannelHandlerContext wire() {
    // The codec takes encoded frames only; bytes that are already encoded bypass it. When the
    // connection ends, the codec is removed before this handler.
    ChannelHandlerContext present = codecGone ? null : context().pipeline().context(codec);
    return present == null ? context() : present;
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    ending.active();
    replies.readBegins();
    if (msg instanceof ByteBuf bytes) {
      // The codec is already removed.
      totals.bytesNotHandled.add(bytes.readableBytes());
      bytes.release();
      return;
    }
    FramedConnection connection = connection();
    watch.enter(this);
    try {
      if (msg instanceof FrameBatch batch) {
        completed = true;
        handle(connection, batch);
      } else if (msg instanceof FramePart part) {
        completed |= part.isLast();
        counters.received(part.isLast() ? 1 : 0, part.wireLength());
        handler.part(connection, part);
      }
    } catch (Throwable e) {
      // As in guarded(), without allocating an object per read.
      handlerFailed(e);
    } finally {
      watch.exit();
    }
    if (ending.isInputStopping()) {
      onInputStopping();
    }
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
    handler.frames(connection, batch);
    if (batch.size() < size) {
      counters.received(batch.size() - size, batch.wireLength() - length);
    }
  }

  @Override
  FrameFormat format() {
    return codec.format();
  }

  @Override
  void format(FrameFormat format) {
    if (isElsewhere()) {
      throw new IllegalStateException(
          "format() with a batch handler must be called on its event loop");
    }
    changeCodec(format);
    outbound().sendLock.format(format);
  }

  private boolean isElsewhere() {
    return thread() != Thread.currentThread();
  }

  /** Replaces the codec with one of another format. */
  private void changeCodec(FrameFormat format) {
    if (codec.isInsideFrame() && codec.bufferedBytes() == 0) {
      throw new IllegalStateException(
          "format cannot change inside a frame delivered in parts or skipped");
    }
    replies.format(format);
    LengthDelimitedCodec next = codec(settings, format);
    LengthDelimitedCodec present = codec;
    codec = next;
    if (!codecGone) {
      context().pipeline().replace(present, null, next);
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    // First: completing a frame that the flush sends may cause replies too.
    replies.readEnds();
    boolean insideNow = codec.isInsideFrame();
    if (completed || insideNow != inside) {
      insideSince = 0;
    }
    inside = insideNow;
    completed = false;
    noteInput();
    super.channelReadComplete(ctx);
  }

  private void noteInput() {
    long buffered = codec.bufferedMemory();
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
    return codec.isInsideFrame();
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
    replies.add(frames, codecGone);
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
    if (!codecGone) {
      codecGone = true;
      context().pipeline().remove(codec);
    }
  }

  @Override
  void onClosed(@Nullable Throwable cause) {
    replies.closed();
    handler.closed(connection(), cause);
  }
}
