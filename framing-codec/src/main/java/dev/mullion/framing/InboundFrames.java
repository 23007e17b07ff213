package dev.mullion.framing;

import dev.mullion.framing.FrameScanner.Found;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** The decoding half of {@link LengthDelimitedCodec}. */
final class InboundFrames {
  private final FormatGeometry geometry;
  private final FrameScanner scanner;
  private final FrameCounters counters;
  private final TooLargePolicy tooLargePolicy;
  private final boolean batches;
  private final boolean parts;

  private @Nullable PartialFrame partial;
  private int toPass;
  private long toSkip;
  private boolean failed;
  private boolean ended;
  private boolean decoding;
  private boolean received;
  private boolean delivered;
  private @Nullable Queue<ByteBuf> waiting;

  InboundFrames(LengthDelimitedCodec.Builder settings, FrameCounters counters) {
    this.geometry = settings.format.geometry();
    this.scanner = new FrameScanner(settings.format);
    this.counters = counters;
    this.tooLargePolicy = settings.tooLargePolicy;
    this.batches = settings.batches;
    // A trailer is checked when the frame is complete, so frames with one are collected.
    this.parts = settings.parts && geometry.trailer.length == 0;
  }

  /** Decodes and releases the bytes that were read. A nested read by a later handler is queued. */
  void read(ChannelHandlerContext ctx, ByteBuf bytes) {
    if (decoding) {
      if (waiting == null) {
        waiting = new ArrayDeque<>();
      }
      waiting.add(bytes);
      return;
    }
    decoding = true;
    received = true;
    try {
      ByteBuf next = bytes;
      while (next != null) {
        decodeAndRelease(ctx, next);
        next = waiting == null ? null : waiting.poll();
      }
    } catch (RuntimeException | Error e) {
      // The position in the stream is lost, so no later byte can be trusted.
      abandon();
      throw e;
    } finally {
      decoding = false;
    }
  }

  /** Returns whether bytes, but no frame, were received since the last call. */
  boolean readEnds() {
    boolean starved = received && !delivered;
    received = false;
    delivered = false;
    return starved;
  }

  /** Whether a read has begun and not ended. */
  boolean isReading() {
    return received;
  }

  boolean isInsideFrame() {
    return !ended && !failed && (partial != null || toPass > 0 || toSkip > 0);
  }

  int bufferedBytes() {
    return partial == null ? 0 : partial.size();
  }

  long bufferedMemory() {
    return partial == null ? 0 : partial.held();
  }

  private void abandon() {
    failed = true;
    if (partial != null) {
      partial.release();
      partial = null;
    }
    if (waiting != null) {
      waiting.forEach(ByteBuf::release);
      waiting.clear();
    }
  }

  /** Reports a frame that was truncated by the end of the input, once. */
  void end(ChannelHandlerContext ctx) {
    if (ended || failed) {
      return;
    }
    ended = true;
    FramingException cut = null;
    PartialFrame part = partial;
    if (part != null) {
      partial = null;
      cut = part.wireLength() == 0
          ? scanner.cutInHeader(part.size(), peer(ctx))
          : scanner.cutBehindHeader(part.size() - scanner.headerLength(), peer(ctx));
      counters.bytesDiscarded.add(part.size());
      part.release();
    } else if (toPass > 0) {
      cut = scanner.cutBehindHeader(scanner.payloadLength() - toPass, peer(ctx));
    } else if (toSkip > 0) {
      cut = scanner.cutInSkipped(toSkip, peer(ctx));
    }
    if (cut != null) {
      counters.framesTruncated.increment();
      ctx.fireExceptionCaught(cut);
    }
  }

  /** Passes on the remaining bytes when the codec has been removed from the pipeline. */
  void passOn(ChannelHandlerContext ctx) {
    PartialFrame part = partial;
    if (part != null) {
      partial = null;
      ctx.fireChannelRead(part.take());
      ctx.fireChannelReadComplete();
    }
  }

  private void decodeAndRelease(ChannelHandlerContext ctx, ByteBuf bytes) {
    ByteBuf in = bytes;
    try {
      in = Bytes.inOnePiece(bytes, ctx.alloc());
      while (in.isReadable() && !ctx.isRemoved()) {
        decode(ctx, in);
      }
      if (in.isReadable()) {
        ctx.fireChannelRead(in.readRetainedSlice(in.readableBytes()));
      }
    } finally {
      in.release();
    }
  }

  private void decode(ChannelHandlerContext ctx, ByteBuf in) {
    if (failed) {
      discard(in, in.readableBytes());
    } else if (toSkip > 0) {
      int skipped = (int) Math.min(toSkip, in.readableBytes());
      toSkip -= skipped;
      discard(in, skipped);
    } else if (toPass > 0) {
      passPart(ctx, in, false);
    } else if (partial != null) {
      resumePartial(ctx, in, partial);
    } else if (!decodeRun(ctx, in)) {
      decodeRest(ctx, in);
    }
  }

  /** Delivers the complete frames of the buffer; returns whether there were any. */
  private boolean decodeRun(ChannelHandlerContext ctx, ByteBuf in) {
    int readerIndex = in.readerIndex();
    ByteBuffer nio = Bytes.view(in);
    int from = nio.position();
    FrameBatch batch = FrameBatch.acquire();
    try {
      int to = scanner.scan(nio, from, nio.limit(), batch.run());
      if (to == from) {
        return false;
      }
      int shift = from - readerIndex;
      batch.setBounds(in, readerIndex, to - shift, shift, geometry.trailer.length);
      in.readerIndex(to - shift);
      deliver(ctx, in, batch);
      return true;
    } finally {
      batch.recycle();
    }
  }

  private void deliver(ChannelHandlerContext ctx, ByteBuf in, FrameBatch batch) {
    delivered = true;
    counters.framesDecoded.add(batch.size());
    counters.bytesDecoded.add(batch.wireLength());
    if (batches) {
      deliverAll(ctx, in, batch);
    } else {
      deliverEach(ctx, in, batch);
    }
  }

  private void deliverAll(ChannelHandlerContext ctx, ByteBuf in, FrameBatch batch) {
    int size = batch.size();
    int wireLength = batch.wireLength();
    ctx.fireChannelRead(batch);
    int givenBack = size - batch.size();
    if (givenBack > 0) {
      int bytes = wireLength - batch.wireLength();
      in.readerIndex(in.readerIndex() - bytes);
      scanner.giveBack(givenBack);
      counters.framesDecoded.add(-givenBack);
      counters.bytesDecoded.add(-bytes);
    }
  }

  private void deliverEach(ChannelHandlerContext ctx, ByteBuf in, FrameBatch batch) {
    int frames = batch.size();
    int behind = in.readerIndex();
    int trailer = geometry.trailer.length;
    in.retain(frames);
    int fired = 0;
    try {
      while (fired < frames) {
        int offset = batch.offset(fired);
        int length = batch.length(fired);
        fired++;
        ctx.fireChannelRead(in.slice(offset, length));
        if (fired < frames && ctx.isRemoved()) {
          in.readerIndex(offset + length + trailer);
          counters.framesDecoded.add(fired - frames);
          counters.bytesDecoded.add(in.readerIndex() - behind);
          return;
        }
      }
    } finally {
      if (fired < frames) {
        in.release(frames - fired);
      }
    }
  }

  /** Handles the bytes after the last complete frame: the start of another one, or an error. */
  private void decodeRest(ChannelHandlerContext ctx, ByteBuf in) {
    ByteBuffer nio = Bytes.view(in);
    Found found = scanner.inspect(nio, nio.position(), nio.limit());
    switch (found) {
      case TOO_LARGE -> tooLarge(ctx, 0);
      case CORRUPT -> fail(ctx, scanner.corrupt(peer(ctx)));
      case FRAME -> {
        if (in.readableBytes() >= scanner.wireLength()) {
          // The scan rejected a complete frame, so its trailer is wrong.
          fail(ctx, scanner.corrupt(peer(ctx)));
          return;
        }
        if (parts && scanner.wireLength() > PartialFrame.SMALL) {
          toPass = scanner.wireLength();
          passPart(ctx, in, true);
          return;
        }
        PartialFrame part = new PartialFrame(ctx.alloc());
        partial = part;
        part.wireLength(scanner.wireLength());
        part.add(in);
      }
      case PART_OF_HEADER -> {
        PartialFrame part = new PartialFrame(ctx.alloc());
        partial = part;
        part.addToHead(in, in.readableBytes(), geometry.maxHeaderLength);
      }
    }
  }

  private void passPart(ChannelHandlerContext ctx, ByteBuf in, boolean first) {
    int start = in.readerIndex();
    int length = Math.min(toPass, in.readableBytes());
    int stripped = first ? scanner.deliveredOffset() : 0;
    in.skipBytes(length);
    toPass -= length;
    counters.bytesDecoded.add(length);
    if (toPass == 0) {
      scanner.passedOne();
      counters.framesDecoded.increment();
    }
    delivered = true;
    ctx.fireChannelRead(new FramePart(in, start, length, stripped, first, toPass == 0));
  }

  private void resumePartial(ChannelHandlerContext ctx, ByteBuf in, PartialFrame part) {
    if (part.wireLength() == 0) {
      resumeHeader(ctx, in, part);
      return;
    }
    part.add(in);
    if (part.isComplete()) {
      partial = null;
      complete(ctx, part);
    }
  }

  private void resumeHeader(ChannelHandlerContext ctx, ByteBuf in, PartialFrame part) {
    int missing = geometry.headerLength == 0 ? 1 : geometry.headerLength - part.size();
    part.addToHead(in, Math.min(missing, in.readableBytes()), geometry.maxHeaderLength);
    ByteBuf head = part.head();
    ByteBuffer nio = Bytes.view(head);
    switch (scanner.inspect(nio, nio.position(), nio.limit())) {
      case TOO_LARGE -> {
        partial = null;
        part.release();
        tooLarge(ctx, part.size());
      }
      case CORRUPT -> fail(ctx, scanner.corrupt(peer(ctx)));
      case FRAME -> {
        part.wireLength(scanner.wireLength());
        if (part.isComplete()) {
          partial = null;
          complete(ctx, part);
        }
      }
      case PART_OF_HEADER -> {}
    }
  }

  private void complete(ChannelHandlerContext ctx, PartialFrame part) {
    ByteBuf whole = part.take();
    FrameBatch batch = FrameBatch.acquire();
    try {
      if (!trailerIsGood(whole)) {
        counters.bytesDiscarded.add(part.size());
        fail(ctx, scanner.corrupt(peer(ctx)));
        return;
      }
      scanner.passedOne();
      int start = whole.readerIndex();
      batch.run().add(start + scanner.deliveredOffset(), scanner.deliveredLength());
      batch.setBounds(whole, start, start + part.size(), 0, geometry.trailer.length);
      whole.readerIndex(start + part.size());
      deliver(ctx, whole, batch);
    } finally {
      batch.recycle();
      whole.release();
    }
  }

  private boolean trailerIsGood(ByteBuf whole) {
    int length = geometry.trailer.length;
    if (length == 0) {
      return true;
    }
    ByteBuffer trailer = ByteBuffer.allocate(length);
    whole.getBytes(whole.writerIndex() - length, trailer);
    return scanner.trailerIsGood(trailer, 0);
  }

  private void tooLarge(ChannelHandlerContext ctx, int consumed) {
    FrameTooLargeException error = scanner.tooLarge(peer(ctx));
    counters.framesTooLarge.increment();
    counters.bytesDiscarded.add(consumed);
    if (tooLargePolicy == TooLargePolicy.CLOSE) {
      close(ctx, error);
      return;
    }
    toSkip = scanner.tooLargeWireLength() - consumed;
    scanner.passedOne();
    if (tooLargePolicy == TooLargePolicy.REPORT) {
      ctx.fireExceptionCaught(error);
    }
  }

  private void fail(ChannelHandlerContext ctx, CorruptFrameException error) {
    counters.framesCorrupt.increment();
    close(ctx, error);
  }

  private void close(ChannelHandlerContext ctx, FramingException error) {
    failed = true;
    PartialFrame part = partial;
    if (part != null) {
      partial = null;
      counters.bytesDiscarded.add(part.size());
      part.release();
    }
    ctx.fireExceptionCaught(error);
    ctx.channel().close();
  }

  private void discard(ByteBuf in, int length) {
    in.skipBytes(length);
    counters.bytesDiscarded.add(length);
  }

  private static @Nullable SocketAddress peer(ChannelHandlerContext ctx) {
    return ctx.channel().remoteAddress();
  }
}
