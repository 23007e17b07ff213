package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.hex;
import static dev.mullion.framing.TestBytes.read;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.WriteBufferWaterMark;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** When flushes reach the transport, and in what order what is written does. */
class CodecFlushTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();

  /** Stands between the codec and the transport and writes down what passes. */
  private static final class Passing extends ChannelDuplexHandler {
    private final List<String> notes = new ArrayList<>();

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
      int length = ((ByteBuf) msg).readableBytes();
      notes.add(length > 16 ? "write " + length : "write " + hex((ByteBuf) msg));
      ctx.write(msg, promise);
    }

    @Override
    public void flush(ChannelHandlerContext ctx) {
      notes.add("flush");
      ctx.flush();
    }

    @Override
    public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
      notes.add("close");
      ctx.close(promise);
    }
  }

  private final Passing passing = new Passing();

  private CodecChannel channel(ChannelInboundHandlerAdapter... behind) {
    CodecChannel channel = new CodecChannel(LengthDelimitedCodec.of(TWO_BYTES), behind);
    channel.channel.pipeline().addFirst(passing);
    return channel;
  }

  private static final class Echo extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      ctx.writeAndFlush(msg);
    }
  }

  @Test
  void flushesOfAReadAreOne() {
    try (CodecChannel channel = channel(new Echo())) {
      channel.read("0001 41  0001 42  0001 43", "0001 44");

      assertThat(passing.notes)
          .containsExactly("write 000141000142000143", "flush", "write 000144", "flush");
    }
  }

  @Test
  void readWithoutAFlushIsNotFlushed() {
    ChannelInboundHandlerAdapter writes = new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ctx.write(msg);
      }
    };
    try (CodecChannel channel = channel(writes)) {
      channel.channel.writeOneInbound(read("0001 41  0001 42"));
      channel.channel.pipeline().fireChannelReadComplete();

      assertThat(passing.notes).isEmpty();
      channel.channel.flush();
      assertThat(passing.notes).containsExactly("write 000141000142", "flush");
    }
  }

  @Test
  void flushGoesThroughAtOnceBetweenReads() {
    try (CodecChannel channel = channel(new Echo())) {
      channel.channel.writeAndFlush(read("41"));
      channel.channel.writeAndFlush(read("42"));
      channel.read("0001 43");
      channel.channel.writeAndFlush(read("44"));

      assertThat(passing.notes)
          .containsExactly(
              "write 000141", "flush",
              "write 000142", "flush",
              "write 000143", "flush",
              "write 000144", "flush");
    }
  }

  @Test
  void flushWithNothingWrittenPasses() {
    try (CodecChannel channel = channel()) {
      channel.channel.flush();

      assertThat(passing.notes).containsExactly("flush");
    }
  }

  @Test
  void closeSendsWhatHadBeenFlushed() {
    ChannelInboundHandlerAdapter answerAndClose = new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ctx.writeAndFlush(msg);
        ctx.close();
      }
    };
    try (CodecChannel channel = channel(answerAndClose)) {
      channel.channel.writeOneInbound(read("0001 41"));

      assertThat(passing.notes).startsWith("write 000141", "flush", "close");
      assertThat(channel.sent()).containsExactly("000141");
    }
  }

  @Test
  void closeDoesNotSendWhatHadNotBeenFlushed() {
    try (CodecChannel channel = channel()) {
      ChannelFuture frame = channel.channel.write(read("41"));
      channel.channel.close();

      assertThat(passing.notes).startsWith("write 000141", "close");
      assertThat(channel.sent()).isEmpty();
      assertThat(frame.isSuccess()).isFalse();
      assertThat(frame.isDone()).isTrue();
    }
  }

  /** Otherwise all that one read makes a handler write would have to wait in memory. */
  @Test
  void flushWaitsNoLongerOnceTheChannelIsNotWritable() {
    ChannelInboundHandlerAdapter answersALot = new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        io.netty.util.ReferenceCountUtil.release(msg);
        for (int i = 0; i < 100; i++) {
          ctx.writeAndFlush(read(new byte[4000]));
        }
      }
    };
    try (CodecChannel channel = channel(answersALot)) {
      channel
          .channel
          .config()
          .setOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(32768, 65536));
      channel.read("0001 41");

      assertThat(passing.notes).filteredOn("flush"::equals).hasSizeBetween(5, 8);
      assertThat(String.join("", channel.sent()))
          .isEqualTo(("0FA0" + "00".repeat(4000)).repeat(100));
    }
  }

  /**
   * A handler that is told in the middle of a write that the channel is writable again, and then
   * writes, once got its frames lost or between the header and the payload of another one.
   */
  @Test
  void frameWrittenWhileAnotherIsBeingWrittenComesBehindIt() {
    int[] left = {0};
    ChannelInboundHandlerAdapter writesWhileWritable = new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        io.netty.util.ReferenceCountUtil.release(msg);
        left[0] = 200;
        writeSome(ctx, 50);
      }

      @Override
      public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        writeSome(ctx, ctx.channel().isWritable() ? 20 : 0);
      }

      private void writeSome(ChannelHandlerContext ctx, int most) {
        for (int i = 0; i < most && left[0] > 0; i++) {
          int length = left[0] % 31 == 0 ? 5000 : 700;
          left[0]--;
          ctx.write(read(TestBytes.random(length, length)));
          ctx.flush();
        }
      }
    };
    try (CodecChannel channel = channel(writesWhileWritable);
        CodecChannel peer = CodecChannel.of(TWO_BYTES)) {
      channel
          .channel
          .config()
          .setOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(1000, 4000));
      channel.read("0001 41");

      for (ByteBuf out = channel.channel.readOutbound(); out != null; ) {
        peer.channel.writeInbound(out);
        out = channel.channel.readOutbound();
      }
      assertThat(left[0]).isZero();
      assertThat(peer.events())
          .hasSize(200)
          .allMatch(event -> event.equals(Recorder.frame(TestBytes.random(700, 700)))
              || event.equals(Recorder.frame(TestBytes.random(5000, 5000))));
      assertThat(channel.codec.counters().framesEncoded()).isEqualTo(200);
    }
  }

  /** The header makes the channel unwritable, its flush writable again: before the payload. */
  @Test
  void frameWrittenOnceTheChannelIsWritableDoesNotPartAnotherFrame() {
    boolean[] wrote = {false};
    ChannelInboundHandlerAdapter answers = new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ctx.writeAndFlush(msg);
        ctx.writeAndFlush(read(TestBytes.random(5000, 1)));
      }

      @Override
      public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (ctx.channel().isWritable() && !wrote[0]) {
          wrote[0] = true;
          ctx.writeAndFlush(read(TestBytes.random(6000, 2)));
        }
      }
    };
    try (CodecChannel channel = channel(answers)) {
      channel
          .channel
          .config()
          .setOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(1, 2));
      channel.read("0001 41");

      byte[] wire = TestBytes.wire(
          TWO_BYTES, new byte[] {0x41}, TestBytes.random(5000, 1), TestBytes.random(6000, 2));
      assertThat("frame " + String.join("", channel.sent())).isEqualTo(Recorder.frame(wire));
    }
  }
}
