package dev.mullion.framing.benchmark;

import dev.mullion.framing.LengthDelimitedCodec;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.ChannelHandler;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Frames encoded per second, beside Netty's own prepender: 64 frames are written, then flushed.
 * What comes out is released unread; a socket would take it.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(1)
public class EncodeBenchmark {
  private static final int FRAMES = 64;

  /** The two ways to encode. */
  public enum Encoder {
    NETTY,
    CODEC
  }

  @Param({"16", "64", "1024", "65536", "1048576"})
  int size;

  @Param
  Encoder encoder;

  private EmbeddedChannel channel;
  private ByteBuf payload;

  /** Builds the pipeline and the payload. */
  @Setup(Level.Trial)
  public void setup() {
    ChannelHandler handler = switch (encoder) {
      case NETTY -> new LengthFieldPrepender(4);
      case CODEC -> LengthDelimitedCodec.create();
    };
    channel = new EmbeddedChannel(handler);
    payload = PooledByteBufAllocator.DEFAULT.directBuffer(size).writeZero(size);
  }

  /** Gives the buffers back. */
  @TearDown(Level.Trial)
  public void tearDown() {
    channel.close();
    payload.release();
  }

  /** Encodes and flushes. */
  @Benchmark
  @OperationsPerInvocation(FRAMES)
  public int encode() {
    for (int i = 0; i < FRAMES; i++) {
      channel.write(payload.retainedDuplicate());
    }
    channel.flush();
    int buffers = 0;
    Object out;
    while ((out = channel.readOutbound()) != null) {
      ReferenceCountUtil.release(out);
      buffers++;
    }
    return buffers;
  }
}
