package dev.mullion.framing.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.ssl.SslHandler;
import org.jspecify.annotations.Nullable;

/**
 * Passes complete records to TLS, and keeps the start of an incomplete one, from the start of the
 * handshake. TLS would copy each read to what it has of a record, or keep the whole read for it.
 * Separate because netty-handler may be absent.
 *
 * <pre>{@code
 *  socket ---> TlsInput, which completes a record ---> SslHandler ---> frames
 *
 *  type (1 byte) | version (2) | length (2) | as many bytes
 * }</pre>
 */
final class TlsInput extends ChannelDuplexHandler {
  private static final int HEADER = 5;
  private static final int FIRST_TYPE = 20;
  private static final int LAST_TYPE = 24;
  private static final int MAJOR_VERSION = 3;

  private final SslHandler tls;
  private final Reading reading;

  /** The start of a record. */
  private @Nullable ByteBuf part;

  /** Whether the peer has sent something else than a record: TLS collects it, and judges it. */
  private boolean unknown;

  /** The buffer that TLS has collected and may have used up; held during a read only. */
  private @Nullable ByteBuf collected;

  private long held;

  private TlsInput(SslHandler tls, Reading reading) {
    this.tls = tls;
    this.reading = reading;
  }

  static void addTo(ChannelPipeline pipeline, Reading reading) {
    SslHandler tls = pipeline.get(SslHandler.class);
    TlsInput input = new TlsInput(tls, reading);
    tls.setCumulator(input::collect);
    pipeline.addFirst(input);
  }

  private ByteBuf collect(ByteBufAllocator allocator, ByteBuf before, ByteBuf in) {
    ByteBuf all = ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(allocator, before, in);
    forget();
    collected = all.retain();
    return all;
  }

  private void forget() {
    ByteBuf present = collected;
    if (present != null) {
      collected = null;
      present.release();
    }
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    try {
      if (message instanceof ByteBuf bytes) {
        passRecords(ctx, bytes);
      } else {
        ctx.fireChannelRead(message);
      }
    } finally {
      noteHeld();
    }
  }

  private void noteHeld() {
    ByteBuf begun = part;
    ByteBuf present = collected;
    long now = begun == null ? 0 : begun.capacity();
    // If TLS has used everything, it has released it.
    if (present != null && present.refCnt() > 1) {
      now += present.capacity();
    }
    forget();
    reading.hold(now - held);
    held = now;
  }

  private void passRecords(ChannelHandlerContext ctx, ByteBuf in) {
    ByteBuf records;
    try {
      ByteBuf begun = part;
      if (begun != null && !isEnded()) {
        complete(ctx, begun, in);
      }
      if (isEnded()) {
        in.release();
        return;
      }
      int end = endOfRecords(in);
      if (end < in.writerIndex()) {
        part = startOfRecord(ctx.alloc(), in, end);
        in.writerIndex(end);
      }
      records = rightSized(ctx, in);
    } catch (RuntimeException | Error e) {
      in.release();
      throw e;
    }
    if (records.isReadable()) {
      ctx.fireChannelRead(records);
    } else {
      records.release();
    }
  }

  /** Nothing may follow close_notify: TLS would collect it. */
  private boolean isEnded() {
    return tls.engine().isInboundDone();
  }

  private void complete(ChannelHandlerContext ctx, ByteBuf begun, ByteBuf in) {
    // The header, which tells how many bytes follow, and those bytes.
    begun.writeBytes(in, Math.min(missing(begun), in.readableBytes()));
    begun.writeBytes(in, Math.min(missing(begun), in.readableBytes()));
    if (missing(begun) == 0) {
      part = null;
      ctx.fireChannelRead(begun);
    }
  }

  /** Returns how many bytes of a record's header are missing, or else of the record. */
  private int missing(ByteBuf begun) {
    int length = begun.readableBytes();
    return length < HEADER ? HEADER - length : Math.max(0, recordLength(begun, 0) - length);
  }

  /** Returns the index after the last complete record. */
  private int endOfRecords(ByteBuf in) {
    int end = in.readerIndex();
    while (!unknown && in.writerIndex() - end >= HEADER) {
      int length = recordLength(in, end);
      if (length > in.writerIndex() - end) {
        break;
      }
      end += length;
    }
    return unknown ? in.writerIndex() : end;
  }

  /** Returns the length of a record with its header; 0 if it is no record. */
  private int recordLength(ByteBuf in, int index) {
    int type = in.getUnsignedByte(index);
    unknown |= type < FIRST_TYPE || type > LAST_TYPE || in.getByte(index + 1) != MAJOR_VERSION;
    return unknown ? 0 : HEADER + in.getUnsignedShort(index + HEADER - Short.BYTES);
  }

  /** Copies it: it would keep the whole read. */
  private ByteBuf startOfRecord(ByteBufAllocator allocator, ByteBuf in, int index) {
    int length = in.writerIndex() - index;
    // With room for the rest of the record, but not for much more than the peer has sent.
    int capacity = length < HEADER ? HEADER : Math.min(recordLength(in, index), 2 * length);
    return allocator.ioBuffer(capacity).writeBytes(in, index, length);
  }

  /** In a handshake, TLS may keep a read while it waits for a key. */
  private ByteBuf rightSized(ChannelHandlerContext ctx, ByteBuf bytes) {
    if (2 * bytes.readableBytes() >= bytes.capacity()
        || (!unknown && tls.handshakeFuture().isDone())) {
      return bytes;
    }
    ByteBuf copy = ctx.alloc().ioBuffer(Math.max(1, bytes.readableBytes())).writeBytes(bytes);
    bytes.release();
    return copy;
  }

  /** TLS reads on inside a record, even if reading is paused. */
  @Override
  public void read(ChannelHandlerContext ctx) {
    if (!reading.isPaused()) {
      ctx.read();
    }
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext ctx) {
    ByteBuf begun = part;
    if (begun != null) {
      part = null;
      begun.release();
    }
  }
}
