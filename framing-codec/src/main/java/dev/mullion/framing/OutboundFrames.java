package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.util.IllegalReferenceCountException;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** The encoding half of {@link LengthDelimitedCodec}. */
final class OutboundFrames {
  /** Payloads up to this length are copied into the gathering buffer. */
  private static final int GATHERED_PAYLOAD = 4 * 1024;

  private static final int MIN_GATHER = 256;
  private static final int MAX_GATHER = 16 * 1024;

  private final @Nullable HeaderWriter header;
  private final FrameCounters counters;

  private @Nullable ByteBuf gather;
  private int gatherSize = MIN_GATHER;
  private @Nullable List<ChannelPromise> promises;
  private boolean withVoidPromise;
  private boolean filled;
  private boolean reading;
  private boolean flushDue;
  private boolean writing;
  private boolean becameUnwritable;
  private @Nullable Queue<Waiting> waiting; // made for the first nested write
  private long frames;
  private long bytes;

  /** A message that was written during another write. */
  private record Waiting(Object msg, ChannelPromise promise) {}

  /** Without a header writer, frames that are not encoded yet are rejected. */
  OutboundFrames(@Nullable HeaderWriter header, FrameCounters counters) {
    this.header = header;
    this.counters = counters;
  }

  void readBegins() {
    reading = true;
  }

  void readEnds() {
    reading = false;
  }

  void flush(ChannelHandlerContext ctx) {
    if (reading || writing) {
      flushDue = true;
    } else {
      flushNow(ctx);
    }
  }

  void flushIfDue(ChannelHandlerContext ctx) {
    if (flushDue) {
      flushNow(ctx);
    }
  }

  void becameUnwritable(ChannelHandlerContext ctx) {
    if (writing) {
      becameUnwritable = true;
    } else {
      flushIfDue(ctx);
    }
  }

  private void flushNow(ChannelHandlerContext ctx) {
    flushDue = false;
    emit(ctx);
    ctx.flush();
  }

  /**
   * Writes a frame or another message. A nested write, by a listener of a failed promise or a
   * handler of the writability event, is queued: it must not come between a header and its payload.
   */
  void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
    if (writing) {
      if (waiting == null) {
        waiting = new ArrayDeque<>();
      }
      waiting.add(new Waiting(msg, promise));
      return;
    }
    writing = true;
    try {
      writeNow(ctx, msg, promise);
      for (Waiting next = nextWaiting(); next != null; next = nextWaiting()) {
        writeNow(ctx, next.msg, next.promise);
      }
    } finally {
      writing = false;
    }
    boolean flushes = flushDue && (becameUnwritable || !reading);
    becameUnwritable = false;
    if (flushes) {
      flushNow(ctx);
    }
  }

  private @Nullable Waiting nextWaiting() {
    return waiting == null ? null : waiting.poll();
  }

  private void writeNow(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
    if (msg instanceof ByteBuf frame) {
      encode(ctx, frame, promise);
    } else {
      emit(ctx);
      pass(ctx, msg, promise, counters);
    }
  }

  /** Writes a message that needs no encoding. */
  static void pass(
      ChannelHandlerContext ctx, Object msg, ChannelPromise promise, FrameCounters counters) {
    if (msg instanceof EncodedFrames encoded) {
      counters.encoded(encoded);
      ctx.write(encoded.content(), promise);
    } else {
      ctx.write(msg, promise);
    }
  }

  private void encode(ChannelHandlerContext ctx, ByteBuf frame, ChannelPromise promise) {
    // From here on the frame is sent completely: a part of it would put the stream out of sync.
    if (!promise.setUncancellable()) {
      frame.release();
      return;
    }
    boolean passedOn = false;
    int written = -1;
    try {
      HeaderWriter writer = encoder();
      checkNotReleased(frame);
      int length = frame.readableBytes();
      boolean small = length <= GATHERED_PAYLOAD;
      byte[] trailer = writer.trailer();
      ByteBuf out = room(ctx, writer.maxHeaderLength() + (small ? length : 0) + trailer.length);
      written = out.writerIndex();
      writeHeader(writer, frame, out);
      if (small) {
        out.writeBytes(frame, frame.readerIndex(), frame.readableBytes());
        if (trailer.length > 0) {
          out.writeBytes(trailer);
        }
        count(out.writerIndex() - written);
        keep(promise);
      } else {
        count(out.writerIndex() - written + frame.readableBytes() + trailer.length);
        passedOn = true;
        writeLong(ctx, frame, out.writerIndex() - written, trailer, promise);
      }
    } catch (Exception e) {
      ByteBuf out = gather;
      if (written >= 0 && !passedOn && out != null) {
        out.writerIndex(written);
      }
      counters.framesRefused.increment();
      promise.tryFailure(
          e instanceof FramingException error ? error.sentTo(ctx.channel().remoteAddress()) : e);
    } finally {
      // If the frame had already been released, that is why this failed.
      if (!passedOn && frame.refCnt() > 0) {
        frame.release();
      }
    }
  }

  /** A long frame's bytes are not read here, and when they are sent it is too late. */
  static void checkNotReleased(ByteBuf frame) {
    if (frame.refCnt() == 0) {
      throw new IllegalReferenceCountException(0);
    }
  }

  private void count(int wireLength) {
    frames++;
    bytes += wireLength;
  }

  private HeaderWriter encoder() {
    if (header == null) {
      throw new IllegalStateException("this codec only decodes (decodeOnly: true)");
    }
    return header;
  }

  /** Writes the header and moves the frame's reader index to the payload. */
  private static void writeHeader(HeaderWriter writer, ByteBuf frame, ByteBuf out)
      throws FramingException {
    int length = frame.readableBytes();
    if (writer.headerIsStripped()) {
      writer.write(null, length, out);
    } else {
      int seen = Math.min(length, writer.maxHeaderLength());
      frame.skipBytes(writer.write(frame.nioBuffer(frame.readerIndex(), seen), length, out));
    }
  }

  /** Writes a frame as one message: the header from the gathering buffer, and the payload. */
  private void writeLong(
      ChannelHandlerContext ctx,
      ByteBuf payload,
      int header,
      byte[] trailer,
      ChannelPromise promise) {
    ByteBuf out = requireNonNull(gather, "gather");
    out.writeBytes(trailer);
    int start = out.writerIndex() - header - trailer.length;
    // Frames that were gathered before are sent first.
    if (start > out.readerIndex()) {
      ctx.write(out.readRetainedSlice(start - out.readerIndex()), promiseOfAll(ctx));
    }
    ctx.write(join(out, header, payload, ctx.alloc()), promise);
  }

  /**
   * Takes all bytes of a buffer, a header followed by a trailer, and joins them around a payload.
   * The result is read-only if possible, which costs half as much as a composite buffer.
   */
  @SuppressWarnings("deprecation") // Only its order tells a little-endian view.
  static ByteBuf join(ByteBuf around, int header, ByteBuf payload, ByteBufAllocator allocator) {
    ByteBuf head = cut(around, header);
    // A slice has its own indexes, so later changes to the frame's indexes have no effect.
    ByteBuf body = payload.slice();
    ByteBuf[] pieces = around.isReadable()
        ? new ByteBuf[] {head, body, cut(around, around.readableBytes())}
        : new ByteBuf[] {head, body};
    // The read-only kind supports one byte order, and is direct if all pieces but the first are.
    return head.isDirect() && body.order() == ByteOrder.BIG_ENDIAN
        ? Unpooled.wrappedUnmodifiableBuffer(pieces)
        : new CompositeByteBuf(allocator, true, pieces.length, pieces);
  }

  /** Like {@code readRetainedSlice}, with a new object, which is cheaper than a pooled one. */
  private static ByteBuf cut(ByteBuf from, int length) {
    return from.retain().readSlice(length);
  }

  /** Returns the gathering buffer with room for {@code length} more bytes. */
  private ByteBuf room(ChannelHandlerContext ctx, int length) {
    ByteBuf present = gather;
    if (present != null) {
      if (present.writableBytes() >= length) {
        return present;
      }
      emit(ctx);
      filled = true;
      gatherSize = Math.min(2 * gatherSize, MAX_GATHER);
    }
    ByteBuf made = ctx.alloc().ioBuffer(Math.max(gatherSize, length));
    gather = made;
    return made;
  }

  private void keep(ChannelPromise promise) {
    if (promise.isVoid()) {
      withVoidPromise = true;
    } else {
      if (promises == null) {
        promises = new ArrayList<>();
      }
      promises.add(promise);
    }
  }

  /** Writes the gathered frames, without a flush. */
  void emit(ChannelHandlerContext ctx) {
    report();
    ByteBuf full = gather;
    if (full == null) {
      return;
    }
    gather = null;
    if (!filled && full.writerIndex() < gatherSize / 4) {
      gatherSize = Math.max(gatherSize / 2, MIN_GATHER);
    }
    filled = false;
    if (full.isReadable()) {
      ctx.write(full, promiseOfAll(ctx));
    } else {
      full.release();
    }
  }

  private void report() {
    if (frames > 0) {
      counters.framesEncoded.add(frames);
      counters.bytesEncoded.add(bytes);
      frames = 0;
      bytes = 0;
    }
  }

  private ChannelPromise promiseOfAll(ChannelHandlerContext ctx) {
    if (promises == null || promises.isEmpty()) {
      ChannelPromise none = withVoidPromise ? ctx.voidPromise() : ctx.newPromise();
      withVoidPromise = false;
      return none;
    }
    withVoidPromise = false;
    if (promises.size() == 1) {
      return promises.remove(0);
    }
    List<ChannelPromise> all = promises;
    promises = new ArrayList<>(all.size());
    return ctx.newPromise().addListener((ChannelFutureListener) done -> settle(all, done));
  }

  private static void settle(List<ChannelPromise> all, ChannelFuture done) {
    for (ChannelPromise promise : all) {
      if (done.isSuccess()) {
        promise.trySuccess();
      } else {
        promise.tryFailure(done.cause());
      }
    }
  }
}
