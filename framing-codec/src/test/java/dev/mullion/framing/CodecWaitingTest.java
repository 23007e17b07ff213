package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import org.junit.jupiter.api.Test;

/** What a codec says of a frame that is not complete. */
class CodecWaitingTest {
  private static final FrameFormat FOUR =
      FrameFormat.dnsOverTcp().toBuilder().maxFrameLength(4).build();

  @Test
  void isInsideFrameUntilItIsCompleteOrSkipped() {
    try (CodecChannel channel = CodecChannel.of(FOUR, TooLargePolicy.SKIP)) {
      LengthDelimitedCodec codec = channel.codec;
      assertThat(codec.isInsideFrame()).isFalse();
      channel.read("00");
      assertThat(codec.isInsideFrame()).as("in a header").isTrue();
      channel.read("02 41");
      assertThat(codec.isInsideFrame()).as("in a payload").isTrue();
      channel.read("42");
      assertThat(codec.isInsideFrame()).as("between frames").isFalse();
      channel.read("0005 41424344");
      assertThat(codec.isInsideFrame()).as("in a frame that is skipped").isTrue();
      channel.read("45");
      assertThat(codec.isInsideFrame()).as("behind it").isFalse();
      assertThat(channel.events()).containsExactly(frame("4142"));
    }
  }

  @Test
  void isInsideFrameWhileItsPartsPass() {
    LengthDelimitedCodec codec =
        LengthDelimitedCodec.builder().batches(true).parts(true).build();
    try (CodecChannel channel = new CodecChannel(codec, new PartsIgnored())) {
      channel.channel.writeInbound(TestBytes.read(TestBytes.bytes("00002000 41")));
      assertThat(codec.isInsideFrame()).isTrue();
      assertThat(codec.bufferedBytes()).as("they are passed on").isZero();
      channel.channel.writeInbound(TestBytes.read(new byte[8191]));
      assertThat(codec.isInsideFrame()).isFalse();
    }
  }

  private static final class PartsIgnored extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      // A part is valid only in here, and is not released.
      assertThat(msg).isInstanceOf(FramePart.class);
    }
  }

  @Test
  void bufferedBytesAreThoseOfTheFrameThatIsNotComplete() {
    try (CodecChannel channel = CodecChannel.of(FOUR, TooLargePolicy.SKIP)) {
      LengthDelimitedCodec codec = channel.codec;
      assertThat(codec.bufferedBytes()).isZero();
      channel.read("0001 41 00");
      assertThat(codec.bufferedBytes()).isEqualTo(1);
      channel.read("02 41");
      assertThat(codec.bufferedBytes()).isEqualTo(3);
      channel.read("42 0005 41");
      assertThat(codec.bufferedBytes()).as("what is skipped is not held").isZero();
    }
  }
}
