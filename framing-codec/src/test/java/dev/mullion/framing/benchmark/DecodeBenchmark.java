package dev.mullion.framing.benchmark;

import dev.mullion.framing.FrameBatch;
import dev.mullion.framing.LengthDelimitedCodec;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Frames decoded per second, beside Netty's own decoder: {@code frames} is the number to compare. A
 * read has 64 KiB; {@code WHOLE} reads end with a frame, {@code SPLIT} reads end anywhere.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(1)
public class DecodeBenchmark {
  private static final int READ = 64 * 1024;

  /** The three ways to decode. */
  public enum Decoder {
    NETTY,
    CODEC,
    BATCH
  }

  /** How the frames are cut into reads. */
  public enum Reads {
    WHOLE,
    SPLIT
  }

  /** Frames are what is counted: an invocation decodes several. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Frames {
    /** Frames delivered. */
    public long frames;
  }

  @Param({"16", "64", "1024", "65536", "1048576"})
  int size;

  @Param
  Reads reads;

  @Param
  Decoder decoder;

  private EmbeddedChannel channel;
  private List<ByteBuf> pieces;
  private final Sink sink = new Sink();

  /** Builds the pipeline and the stream. */
  @Setup(Level.Trial)
  public void setup() {
    ChannelHandler handler = switch (decoder) {
      case NETTY -> new LengthFieldBasedFrameDecoder(8 * 1024 * 1024, 0, 4, 0, 4);
      case CODEC -> LengthDelimitedCodec.create();
      case BATCH -> LengthDelimitedCodec.builder().batches(true).build();
    };
    channel = new EmbeddedChannel(handler, sink);
    int wire = size + 4;
    int perRead = Math.max(1, READ / wire);
    int piece = reads == Reads.WHOLE ? perRead * wire : READ;
    int count = reads == Reads.WHOLE ? perRead : Math.max(8, 8 * perRead);
    ByteBuf stream = Unpooled.buffer(count * wire);
    for (int i = 0; i < count; i++) {
      stream.writeInt(size).writeZero(size);
    }
    pieces = new ArrayList<>();
    while (stream.isReadable()) {
      int length = Math.min(piece, stream.readableBytes());
      pieces.add(channel.alloc().directBuffer(length).writeBytes(stream, length));
    }
  }

  /** Gives the buffers back. */
  @TearDown(Level.Trial)
  public void tearDown() {
    channel.close();
    pieces.forEach(ByteBuf::release);
  }

  /** Decodes the stream once. */
  @Benchmark
  public long decode(Frames counted) {
    long before = sink.frames;
    for (ByteBuf piece : pieces) {
      channel.pipeline().fireChannelRead(piece.readerIndex(0).retain());
      channel.pipeline().fireChannelReadComplete();
    }
    counted.frames += sink.frames - before;
    return sink.bytes;
  }

  private static final class Sink extends ChannelInboundHandlerAdapter {
    private long frames;
    private long bytes;

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      if (msg instanceof FrameBatch batch) {
        frames += batch.size();
        for (int i = 0; i < batch.size(); i++) {
          bytes += batch.length(i);
        }
      } else {
        ByteBuf frame = (ByteBuf) msg;
        frames++;
        bytes += frame.readableBytes();
        frame.release();
      }
    }
  }
}
