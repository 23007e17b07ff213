package dev.mullion.framing;

import static java.util.Objects.requireNonNull;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.net.SocketAddress;
import org.jspecify.annotations.Nullable;

/** The decoding half of {@link LengthDelimitedCodec}: fires what its decoder finds. */
final class InboundFrames implements BatchReceiver {
  final BatchDecoder decoder;
  private final boolean batches;
  private @Nullable ChannelHandlerContext context;
  private boolean received;
  private boolean delivered;

  InboundFrames(LengthDelimitedCodec.Builder settings, FrameCounters counters) {
    batches = settings.batches;
    decoder =
        new BatchDecoder(settings.format, settings.tooLargePolicy, settings.parts, counters, this);
  }

  void addedTo(ChannelHandlerContext ctx) {
    context = ctx;
  }

  private ChannelHandlerContext context() {
    return requireNonNull(context, "context");
  }

  /** Decodes and releases the bytes that were read. */
  void read(ByteBuf bytes) {
    received = true;
    decoder.add(bytes);
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

  /** Passes on the remaining bytes when the codec has been removed from the pipeline. */
  void stop() {
    boolean passesOn = decoder.bufferedBytes() > 0;
    decoder.stop();
    if (passesOn) {
      context().fireChannelReadComplete();
    }
  }

  @Override
  public void frames(FrameBatch batch) {
    delivered = true;
    if (batches) {
      context().fireChannelRead(batch);
    } else {
      fireEach(batch);
    }
  }

  private void fireEach(FrameBatch batch) {
    ChannelHandlerContext ctx = context();
    ByteBuf in = batch.buffer();
    int frames = batch.size();
    in.retain(frames);
    int fired = 0;
    try {
      while (fired < frames) {
        int offset = batch.offset(fired);
        int length = batch.length(fired);
        fired++;
        ctx.fireChannelRead(in.slice(offset, length));
        if (fired < frames && decoder.isStopped()) {
          batch.endAfter(fired - 1);
          return;
        }
      }
    } finally {
      if (fired < frames) {
        in.release(frames - fired);
      }
    }
  }

  @Override
  public void part(FramePart part) {
    delivered = true;
    context().fireChannelRead(part);
  }

  @Override
  public void failed(FramingException error) {
    context().fireExceptionCaught(error);
    if (decoder.isFailed()) {
      context().channel().close();
    }
  }

  @Override
  public void rest(ByteBuf bytes) {
    context().fireChannelRead(bytes);
  }

  @Override
  public @Nullable SocketAddress peer() {
    return context().channel().remoteAddress();
  }
}
