package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import org.jspecify.annotations.Nullable;

/**
 * A Netty handler that decodes and encodes frames. It replaces {@code LengthFieldBasedFrameDecoder}
 * and {@code LengthFieldPrepender}. Without a Netty pipeline, use {@link FrameReader} and {@link
 * FrameWriter}.
 *
 * <pre>{@code
 *  socket  ---> bytes ---> +----------------------+ ---> a ByteBuf for each frame,
 *                          | LengthDelimitedCodec |      or a FrameBatch for each read
 *  socket  <--- bytes <--- +----------------------+ <--- ByteBuf, EncodedFrames
 * }</pre>
 *
 * <pre>{@code
 * channel.pipeline()
 *     .addLast(LengthDelimitedCodec.of(FrameFormat.builder().lengthFieldLength(2).build()))
 *     .addLast(new SimpleChannelInboundHandler<ByteBuf>() {
 *       protected void channelRead0(ChannelHandlerContext ctx, ByteBuf frame) {
 *         ctx.writeAndFlush(frame.retain());
 *       }
 *     });
 * }</pre>
 *
 * <p><b>Decoding.</b> Each frame is a slice of the buffer that was read, without a copy; the
 * handler that receives it releases it. The slices of a read share one reference count. A frame
 * that arrives in several reads is collected. Memory then grows with the bytes received, never with
 * an announced length. A frame of up to 256 KiB is copied into one buffer; a longer frame may be a
 * composite buffer. With {@link Builder#batches} the frames of a read are delivered as one {@link
 * FrameBatch}, without an object for each. With {@link Builder#parts} a long frame is delivered in
 * parts, without being collected.
 *
 * <p><b>Encoding.</b> Each {@code ByteBuf} that is written is one frame, and the codec releases it.
 * Frames of up to 4 KiB are copied into one buffer; longer frames are not copied. If a frame cannot
 * be encoded, its promise fails with a {@link FramingException} and nothing is sent. A frame whose
 * promise has been cancelled is not sent either. {@link EncodedFrames} are written unchanged, and
 * messages of other types are passed on. While the channel is being read, flushes wait for {@code
 * channelReadComplete}, so that there is one flush for each read. {@code Channel.isWritable()} does
 * not count up to 16 KiB that were written and not flushed.
 *
 * <p><b>Errors.</b> They are fired as {@code exceptionCaught}. The {@link TooLargePolicy} decides
 * about a {@link FrameTooLargeException}. A {@link CorruptFrameException} is always fired, and
 * closes the channel. A {@link TruncatedFrameException} is fired when the input ends inside a
 * frame, before {@code channelInactive} or the event of a half-closed socket. An end of input
 * between two frames is not an error.
 *
 * <p>A codec serves one channel. When it is removed from the pipeline, it passes on the bytes that
 * it has not decoded.
 */
public final class LengthDelimitedCodec extends ChannelDuplexHandler {
  private final FrameFormat format;
  private final FrameCounters counters;
  private final InboundFrames inbound;

  /** Absent if the codec only decodes, until it has to reject a frame or to hold a flush. */
  private @Nullable OutboundFrames outbound;

  private LengthDelimitedCodec(Builder builder) {
    format = builder.format;
    counters = builder.counters == null ? new FrameCounters() : builder.counters;
    inbound = new InboundFrames(builder, counters);
    outbound = builder.decodeOnly ? null : new OutboundFrames(new HeaderWriter(format), counters);
  }

  /** Returns a codec for {@link FrameFormat#defaults()}. */
  public static LengthDelimitedCodec create() {
    return builder().build();
  }

  /**
   * Returns a codec for a format.
   *
   * @throws IllegalStateException if the format can only decode; use {@link Builder#decodeOnly}
   *     then
   */
  public static LengthDelimitedCodec of(FrameFormat format) {
    return builder().format(format).build();
  }

  /** Returns a builder with the default settings. */
  public static Builder builder() {
    return new Builder();
  }

  /** Returns the format. */
  public FrameFormat format() {
    return format;
  }

  /** Returns the counters; any thread may read them. */
  public FrameCounters counters() {
    return counters;
  }

  /**
   * Returns whether an incomplete frame has been received in part, or a frame is being skipped.
   * Call it on the event loop.
   */
  public boolean isInsideFrame() {
    return inbound.decoder.isInsideFrame();
  }

  /**
   * Returns the number of buffered bytes of an incomplete frame; 0 if the frame is delivered in
   * {@link Builder#parts}. Call it on the event loop.
   */
  public int bufferedBytes() {
    return inbound.decoder.bufferedBytes();
  }

  /**
   * Returns the memory of these bytes: the whole capacity of the buffers that contain them. Call it
   * on the event loop.
   */
  public long bufferedMemory() {
    return inbound.decoder.bufferedMemory();
  }

  private OutboundFrames outbound() {
    OutboundFrames present = outbound;
    if (present == null) {
      present = new OutboundFrames(null, counters);
      if (inbound.isReading()) {
        present.readBegins();
      }
      outbound = present;
    }
    return present;
  }

  private void emit(ChannelHandlerContext ctx) {
    if (outbound != null) {
      outbound.emit(ctx);
    }
  }

  private void flushIfDue(ChannelHandlerContext ctx) {
    if (outbound != null) {
      outbound.flushIfDue(ctx);
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext ctx) {
    inbound.addedTo(ctx);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    emit(ctx);
    ctx.flush();
    inbound.stop();
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    if (msg instanceof ByteBuf bytes) {
      if (outbound != null) {
        outbound.readBegins();
      }
      inbound.read(bytes);
    } else {
      ctx.fireChannelRead(msg);
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    // Read it now: a handler that turns it off at the end of this read does not want another read.
    boolean wantsMore = inbound.readEnds() && !ctx.channel().config().isAutoRead();
    // A flush by a handler at the end of a read takes effect immediately.
    if (outbound != null) {
      outbound.readEnds();
    }
    ctx.fireChannelReadComplete();
    flushIfDue(ctx);
    if (wantsMore) {
      ctx.read();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    inbound.decoder.end();
    emit(ctx);
    ctx.fireChannelInactive();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent
        || event instanceof ChannelInputShutdownReadComplete) {
      inbound.decoder.end();
    }
    ctx.fireUserEventTriggered(event);
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (outbound != null && !ctx.channel().isWritable()) {
      outbound.becameUnwritable(ctx);
    }
    ctx.fireChannelWritabilityChanged();
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
    if (outbound == null && !(msg instanceof ByteBuf)) {
      OutboundFrames.pass(ctx, msg, promise, counters);
    } else {
      outbound().write(ctx, msg, promise);
    }
  }

  @Override
  public void flush(ChannelHandlerContext ctx) {
    if (outbound == null && !inbound.isReading()) {
      ctx.flush();
    } else {
      outbound().flush(ctx);
    }
  }

  @Override
  public void disconnect(ChannelHandlerContext ctx, ChannelPromise promise) {
    emit(ctx);
    flushIfDue(ctx);
    ctx.disconnect(promise);
  }

  @Override
  public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
    emit(ctx);
    flushIfDue(ctx);
    ctx.close(promise);
  }

  /** Collects the settings of a {@link LengthDelimitedCodec}; it may build several. */
  public static final class Builder {
    FrameFormat format = FrameFormat.defaults();
    TooLargePolicy tooLargePolicy = TooLargePolicy.CLOSE;
    boolean batches;
    boolean parts;
    private boolean decodeOnly;
    private @Nullable FrameCounters counters;

    private Builder() {}

    /** Sets the format, {@link FrameFormat#defaults()} by default. */
    public Builder format(FrameFormat format) {
      this.format = requireNonNull(format, "format");
      return this;
    }

    /** Sets how frames that are too large are handled, {@link TooLargePolicy#CLOSE} by default. */
    public Builder tooLargePolicy(TooLargePolicy tooLargePolicy) {
      this.tooLargePolicy = requireNonNull(tooLargePolicy, "tooLargePolicy");
      return this;
    }

    /** Sets whether a {@link FrameBatch} is fired for each read. By default each frame is fired. */
    public Builder batches(boolean batches) {
      this.batches = batches;
      return this;
    }

    /**
     * Sets whether a frame of more than 4 KiB that has arrived in part is fired as {@link
     * FramePart}s as it arrives, instead of being collected; off by default. It requires {@link
     * #batches}. Frames of a format with a trailer are always collected.
     */
    public Builder parts(boolean parts) {
      this.parts = parts;
      return this;
    }

    /**
     * Sets whether the codec only decodes; off by default. A format that cannot encode requires it.
     * The promise of each {@code ByteBuf} that is written then fails with an {@link
     * IllegalStateException}; {@link EncodedFrames} are still written.
     */
    public Builder decodeOnly(boolean decodeOnly) {
      this.decodeOnly = decodeOnly;
      return this;
    }

    /** Sets counters that several codecs share; by default each has its own. */
    public Builder counters(FrameCounters counters) {
      this.counters = requireNonNull(counters, "counters");
      return this;
    }

    /**
     * Builds a codec for one channel.
     *
     * @throws IllegalStateException if {@link #parts} is set without {@link #batches}, or the
     *     format cannot encode and {@link #decodeOnly} is not set
     */
    public LengthDelimitedCodec build() {
      if (parts && !batches) {
        throw new IllegalStateException("parts: true needs batches: true (batches: false)");
      }
      return new LengthDelimitedCodec(this);
    }
  }
}
