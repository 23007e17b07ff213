package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.read;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CodecPromisesTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();
  private static final FrameFormat TRAILER =
      FrameFormat.builder().trailer((byte) 0x0A).lengthAdjustment(1).build();

  /** A transport that writes when it is told to. */
  private static final class SlowTransport extends ChannelOutboundHandlerAdapter {
    private final List<ByteBuf> buffers = new ArrayList<>();
    private final List<ChannelPromise> promises = new ArrayList<>();

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) {
      buffers.add((ByteBuf) msg);
      promises.add(promise);
    }

    /** Says that the first of the buffers is written. */
    void writeOne() {
      buffers.remove(0).release();
      promises.remove(0).trySuccess();
    }

    void failOne(Exception cause) {
      buffers.remove(0).release();
      promises.remove(0).tryFailure(cause);
    }
  }

  @Test
  void promisesCompleteWhenTheirBytesAreWritten() {
    SlowTransport transport = new SlowTransport();
    try (CodecChannel channel = CodecChannel.of(TRAILER)) {
      channel.channel.pipeline().addFirst(transport);
      ChannelFuture first = channel.channel.write(read("41"));
      ChannelFuture second = channel.channel.write(read("42"));
      ChannelFuture large = channel.channel.write(read(new byte[5000]));
      ChannelFuture last = channel.channel.write(read("43"));
      channel.channel.flush();

      assertThat(transport.buffers).hasSize(3);
      assertThat(List.of(first, second, large, last)).noneMatch(ChannelFuture::isDone);
      transport.writeOne();
      assertThat(first.isSuccess() && second.isSuccess()).isTrue();
      transport.writeOne();
      assertThat(large.isSuccess()).isTrue();
      assertThat(last.isDone()).isFalse();
      transport.writeOne();
      assertThat(last.isSuccess()).isTrue();
    }
  }

  @Test
  void promisesFailWithTheTransportsError() {
    SlowTransport transport = new SlowTransport();
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.pipeline().addFirst(transport);
      ChannelFuture first = channel.channel.write(read("41"));
      ChannelFuture second = channel.channel.write(read("42"));
      channel.channel.flush();
      ChannelFuture third = channel.channel.writeAndFlush(read("43"));
      java.io.IOException broken = new java.io.IOException("broken pipe");

      transport.failOne(broken);
      transport.writeOne();

      assertThat(first.cause()).isSameAs(broken);
      assertThat(second.cause()).isSameAs(broken);
      assertThat(third.isSuccess()).isTrue();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 5000})
  void promisesFailWhenTheChannelIsClosed(int length) {
    try (CodecChannel channel = CodecChannel.of(TRAILER)) {
      ChannelFuture first = channel.channel.write(read(new byte[length]));
      ChannelFuture second = channel.channel.write(read(new byte[length]));

      channel.end();

      assertThat(first.cause()).isInstanceOf(ClosedChannelException.class);
      assertThat(second.cause()).isInstanceOf(ClosedChannelException.class);
      assertThat(channel.events()).containsExactly("inactive");
      assertThat(channel.sent()).isEmpty();
    }
  }

  /** The transport has closed the channel, and the pipeline is not told of it yet. */
  @ParameterizedTest
  @ValueSource(ints = {1, 5000})
  void promisesFailOnAClosedChannelWithoutAnEvent(int length) {
    List<ChannelFuture> futures = new ArrayList<>();
    ChannelInboundHandlerAdapter writesLate = new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ctx.fireChannelRead(msg);
        ctx.channel().unsafe().close(ctx.newPromise());
        futures.add(ctx.write(read(new byte[length])));
        futures.add(ctx.writeAndFlush(read(new byte[length])));
      }

      @Override
      public void channelInactive(ChannelHandlerContext ctx) {
        futures.add(ctx.write(read(new byte[length])));
        ctx.fireChannelInactive();
      }
    };
    try (CodecChannel channel = new CodecChannel(LengthDelimitedCodec.of(TRAILER), writesLate)) {
      channel.read("00000001 41 0A");

      assertThat(channel.events()).containsExactly(Recorder.frame("41"), "inactive");
      assertThat(futures)
          .hasSize(3)
          .allSatisfy(
              future -> assertThat(future.cause()).isInstanceOf(ClosedChannelException.class));
    }
  }

  @Test
  void voidPromisesAreFine() {
    try (CodecChannel channel = CodecChannel.of(TRAILER)) {
      ChannelPromise nobody = channel.channel.voidPromise();
      channel.channel.write(read("41"), nobody);
      ChannelFuture somebody = channel.channel.write(read("42"));
      channel.channel.write(read(new byte[5000]), nobody);
      channel.channel.writeAndFlush(read("43"), nobody);

      assertThat(somebody.isSuccess()).isTrue();
      assertThat(String.join("", channel.sent()))
          .isEqualTo("00000001410A" + "00000001420A" + "00001388" + "00".repeat(5000) + "0A"
              + "00000001430A");
    }
  }

  @Test
  void cancelledFrameIsNotSent() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      ChannelPromise cancelled = channel.channel.newPromise();
      cancelled.cancel(false);
      ByteBuf frame = read("42");
      channel.channel.write(read("41"));
      channel.channel.write(frame, cancelled);
      channel.channel.writeAndFlush(read("43"));

      assertThat(channel.sent()).containsExactly("000141" + "000143");
      assertThat(frame.refCnt()).isZero();
      assertThat(channel.counted()).isEqualTo("framesEncoded=2 bytesEncoded=6");
    }
  }

  /** Half a frame on the wire would put the stream out of step. */
  @ParameterizedTest
  @ValueSource(ints = {1, 5000})
  void frameCannotBeCancelledOnceItIsWritten(int length) {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      ChannelFuture frame = channel.channel.write(read(new byte[length]));

      assertThat(frame.cancel(true)).isFalse();
      channel.channel.writeAndFlush(read("43"));

      assertThat(String.join("", channel.sent()))
          .isEqualTo(String.format("%04X", length) + "00".repeat(length) + "000143");
      assertThat(frame.isSuccess()).isTrue();
    }
  }

  @Test
  void tooLargeFrameIsRefused() {
    FrameFormat four = TWO_BYTES.toBuilder().maxFrameLength(4).build();
    refuse(
        four,
        "4142434445",
        FrameTooLargeException.class,
        "frame length 5 exceeds maxFrameLength 4");
  }

  @Test
  void frameWithoutTheHeaderItsFormatKeepsIsRefused() {
    FrameFormat kept = TWO_BYTES.toBuilder().initialBytesToStrip(0).build();
    refuse(
        kept,
        "41",
        CorruptFrameException.class,
        "frame of 1 bytes is too short for its kept header (expected: >= 2)");
  }

  @Test
  void frameWithAnotherConstantIsRefused() {
    FrameFormat kept = FrameFormat.tpkt().toBuilder().initialBytesToStrip(0).build();
    refuse(
        kept,
        "0200 0005 41",
        CorruptFrameException.class,
        "beforeLength bytes of the frame are 0x0200 (expected: 0x0300)");
  }

  @Test
  void frameWhoseOwnLengthIsWrongIsRefused() {
    FrameFormat kept =
        FrameFormat.protobufDelimited().toBuilder().initialBytesToStrip(0).build();
    refuse(
        kept,
        "03 4142",
        CorruptFrameException.class,
        "frame of 3 bytes does not match the length in its header (expected: 4)");
  }

  @Test
  void codecThatOnlyDecodesRefusesEachFrame() {
    LengthDelimitedCodec codec = LengthDelimitedCodec.builder().decodeOnly(true).build();
    try (CodecChannel channel = new CodecChannel(codec)) {
      ByteBuf refused = read("41");
      ChannelFuture future = channel.channel.writeAndFlush(refused);

      assertThat(future.cause())
          .isExactlyInstanceOf(IllegalStateException.class)
          .hasMessage("this codec only decodes (decodeOnly: true)");
      assertThat(refused.refCnt()).isZero();
      assertThat(channel.sent()).isEmpty();
      assertThat(channel.counted()).isEqualTo("framesRefused=1");
    }
  }

  @Test
  void formatThatOnlyDecodesIsRefusedUnlessThatIsSaid() {
    FrameFormat format = FrameFormat.builder().lengthFieldOffset(2).build();

    assertThatThrownBy(() -> LengthDelimitedCodec.of(format))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage("format cannot encode: frame bytes 0 to 1 are stripped by"
            + " initialBytesToStrip, and no beforeLength constant defines them ("
            + format
            + ")");
    assertThat(LengthDelimitedCodec.builder()
            .format(format)
            .decodeOnly(true)
            .build()
            .format())
        .isEqualTo(format);
  }

  private static void refuse(
      FrameFormat format, String frame, Class<? extends Exception> type, String text) {
    try (CodecChannel channel = CodecChannel.of(format)) {
      ByteBuf refused = read(frame);
      ChannelFuture future = channel.channel.writeAndFlush(refused);

      assertThat(future.cause()).isExactlyInstanceOf(type).hasMessage(text + " (peer embedded)");
      assertThat(refused.refCnt()).isZero();
      assertThat(channel.sent()).isEmpty();
      assertThat(channel.events()).isEmpty();
      assertThat(channel.counted()).isEqualTo("framesRefused=1");
    }
  }

  @Test
  void refusedFrameLeavesNothingBetweenItsNeighbours() {
    FrameFormat kept = TWO_BYTES.toBuilder().initialBytesToStrip(0).build();
    try (CodecChannel channel = CodecChannel.of(kept)) {
      ChannelFuture first = channel.channel.write(read("0000 41"));
      ChannelFuture refused = channel.channel.write(read("00"));
      ChannelFuture last = channel.channel.writeAndFlush(read("0000 4243"));

      assertThat(channel.sent()).containsExactly("000141" + "00024243");
      assertThat(first.isSuccess() && last.isSuccess()).isTrue();
      assertThatThrownBy(refused::sync).isInstanceOf(CorruptFrameException.class);
      assertThat(channel.counted()).isEqualTo("framesEncoded=2 bytesEncoded=7 framesRefused=1");
    }
  }

  @Test
  void errorTellsTheNumbers() {
    FrameFormat four = TWO_BYTES.toBuilder().maxFrameLength(4).build();
    try (CodecChannel channel = CodecChannel.of(four)) {
      ChannelFuture refused = channel.channel.writeAndFlush(read(bytes("4142434445")));

      FrameTooLargeException error = (FrameTooLargeException) refused.cause();
      assertThat(error.frameLength()).isEqualTo(5);
      assertThat(error.maxFrameLength()).isEqualTo(4);
      assertThat(error.peer()).isEqualTo(channel.channel.remoteAddress());
      assertThat(error.frameNumber()).isZero();
    }
  }
}
