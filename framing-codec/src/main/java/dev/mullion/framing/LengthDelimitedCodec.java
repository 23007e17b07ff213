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
 * The Netty handler: bytes to frames and back, in place of {@code LengthFieldBasedFrameDecoder} and
 * {@code LengthFieldPrepender}. Without Netty, use {@link FrameReader} and {@link FrameWriter}.
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
 * that comes in several reads is collected: what is held grows with the bytes that came, never with
 * a length that was announced, and a frame longer than 4 KiB may be a composite buffer. With {@link
 * Builder#batches} the frames of a read come as one {@link FrameBatch}, without an object for each,
 * and with {@link Builder#parts} a long frame comes in parts, without being collected.
 *
 * <p><b>Encoding.</b> Each {@code ByteBuf} that is written is a frame, and is released. Frames of
 * up to 4 KiB are gathered in one buffer, longer ones are not copied. A frame that cannot be
 * encoded fails its promise with a {@link FramingException} and leaves nothing on the wire; one
 * whose promise was cancelled before is not sent either. {@link EncodedFrames} are written as they
 * are, messages of other types pass. While the channel is being read, flushes wait for {@code
 * channelReadComplete}: one flush a read. Up to 16 KiB that were written and not flushed are not
 * counted by {@code Channel.isWritable()}.
 *
 * <p><b>Errors.</b> They are fired as {@code exceptionCaught}: a {@link FrameTooLargeException} as
 * the {@link TooLargePolicy} says, a {@link CorruptFrameException} always, and then the channel is
 * closed; a {@link TruncatedFrameException} when the input ends inside a frame, before {@code
 * channelInactive} or the event of a half-closed socket passes. An end between two frames is no
 * error.
 *
 * <p>A codec serves one channel. When it is removed, the bytes that it has not decoded pass on.
 */
public final class LengthDelimitedCodec extends ChannelDuplexHandler {
  private final FrameFormat format;
  private final FrameCounters counters;
  private final InboundFrames inbound;
  private final OutboundFrames outbound;

  private LengthDelimitedCodec(Builder builder) {
    format = builder.format;
    counters = builder.counters == null ? new FrameCounters() : builder.counters;
    inbound = new InboundFrames(builder, counters);
    HeaderWriter header = builder.decodeOnly ? null : new HeaderWriter(format);
    outbound = new OutboundFrames(header, counters);
  }

  /** Returns a codec for {@link FrameFormat#defaults()}. */
  public static LengthDelimitedCodec create() {
    return builder().build();
  }

  /**
   * Returns a codec for a format.
   *
   * @throws IllegalStateException if the format can only decode; {@link Builder#decodeOnly} takes
   *     it
   */
  public static LengthDelimitedCodec of(FrameFormat format) {
    return builder().format(format).build();
  }

  /** Returns a builder that holds the defaults. */
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
   * Returns whether bytes of a frame have come that is not complete, or that is being skipped. To
   * be called on the event loop.
   */
  public boolean isInsideFrame() {
    return inbound.isInsideFrame();
  }

  /**
   * Returns how many bytes are held of a frame that is not complete: none of one that is passed on
   * in {@link Builder#parts}. To be called on the event loop.
   */
  public int bufferedBytes() {
    return inbound.bufferedBytes();
  }

  /**
   * Returns how much memory they take: what is held with them, and room for what follows, included.
   */
  public long bufferedMemory() {
    return inbound.bufferedMemory();
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    outbound.emit(ctx);
    ctx.flush();
    inbound.passOn(ctx);
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object msg) {
    if (msg instanceof ByteBuf bytes) {
      outbound.readBegins();
      inbound.read(ctx, bytes);
    } else {
      ctx.fireChannelRead(msg);
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    // Asked now: a handler that turns it off at the end of this read wants no other one.
    boolean wantsMore = inbound.readEnds() && !ctx.channel().config().isAutoRead();
    // A handler that flushes at the end of a read sees at once what that sent.
    outbound.readEnds();
    ctx.fireChannelReadComplete();
    outbound.flushIfDue(ctx);
    if (wantsMore) {
      ctx.read();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    inbound.end(ctx);
    outbound.emit(ctx);
    ctx.fireChannelInactive();
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
    if (event instanceof ChannelInputShutdownEvent
        || event instanceof ChannelInputShutdownReadComplete) {
      inbound.end(ctx);
    }
    ctx.fireUserEventTriggered(event);
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ctx) {
    if (!ctx.channel().isWritable()) {
      outbound.becameUnwritable(ctx);
    }
    ctx.fireChannelWritabilityChanged();
  }

  @Override
  public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
    outbound.write(ctx, msg, promise);
  }

  @Override
  public void flush(ChannelHandlerContext ctx) {
    outbound.flush(ctx);
  }

  @Override
  public void disconnect(ChannelHandlerContext ctx, ChannelPromise promise) {
    outbound.emit(ctx);
    outbound.flushIfDue(ctx);
    ctx.disconnect(promise);
  }

  @Override
  public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
    outbound.emit(ctx);
    outbound.flushIfDue(ctx);
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

    /** Sets what happens to a frame that is too large, {@link TooLargePolicy#CLOSE} by default. */
    public Builder tooLargePolicy(TooLargePolicy tooLargePolicy) {
      this.tooLargePolicy = requireNonNull(tooLargePolicy, "tooLargePolicy");
      return this;
    }

    /** Sets whether a {@link FrameBatch} is fired for each read; by default it is each frame. */
    public Builder batches(boolean batches) {
      this.batches = batches;
      return this;
    }

    /**
     * Sets whether a frame of more than 4 KiB that came in part is fired as {@link FramePart}s, as
     * it comes, in place of being collected; by default it is not. It goes with {@link #batches}.
     * The frames of a format with a trailer are always collected.
     */
    public Builder parts(boolean parts) {
      this.parts = parts;
      return this;
    }

    /**
     * Sets whether the codec only decodes, as it must where the format cannot encode; by default it
     * does not. Then each {@code ByteBuf} that is written fails its promise with an {@link
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
     * Makes a codec, for one channel.
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
