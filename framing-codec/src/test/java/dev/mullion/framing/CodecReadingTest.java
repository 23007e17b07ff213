package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.read;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Reads inside reads, and reads that are asked for one by one. */
class CodecReadingTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();

  private static final class Reads extends ChannelOutboundHandlerAdapter {
    private int asked;

    @Override
    public void read(ChannelHandlerContext ctx) {
      asked++;
      ctx.read();
    }
  }

  /**
   * A handler may read on in the middle of a run; the bytes still come in the order of the wire.
   */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void readInsideAReadWaits(boolean batches) {
    Queue<ByteBuf> more = new ArrayDeque<>(List.of(read("4344  0001 45"), read("0001 46  0003")));
    ChannelInboundHandlerAdapter readsOn = new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        if (!more.isEmpty()) {
          ctx.pipeline().fireChannelRead(more.remove());
        }
        ctx.fireChannelRead(msg);
      }
    };
    LengthDelimitedCodec codec =
        LengthDelimitedCodec.builder().format(TWO_BYTES).batches(batches).build();
    try (CodecChannel channel = new CodecChannel(codec, readsOn)) {
      channel.read("0001 41  0001 42  0002").read("47", "4849");

      assertThat(channel.events())
          .containsExactly(
              frame("41"), frame("42"), frame("4344"), frame("45"), frame("46"), frame("474849"));
    }
  }

  @Test
  void asksForMoreUntilAFrameIsThere() {
    Reads reads = new Reads();
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.pipeline().addFirst(reads);
      channel.channel.config().setAutoRead(false);

      channel.read("00");
      assertThat(reads.asked).as("part of a header").isEqualTo(1);
      channel.read("02", "41");
      assertThat(reads.asked).as("part of a payload").isEqualTo(3);
      channel.read("42");
      assertThat(reads.asked).as("a frame").isEqualTo(3);
      channel.read("0001 43 0001");
      assertThat(reads.asked).as("a frame and part of another").isEqualTo(3);
      channel.read("44", "00");
      assertThat(reads.asked).as("part of a header after a frame").isEqualTo(4);
    }
  }

  @Test
  void asksForMoreWhileAFrameIsSkipped() {
    FrameFormat four = TWO_BYTES.toBuilder().maxFrameLength(4).build();
    Reads reads = new Reads();
    try (CodecChannel channel = CodecChannel.of(four, TooLargePolicy.SKIP)) {
      channel.channel.pipeline().addFirst(reads);
      channel.channel.config().setAutoRead(false);

      channel.read("0005", "41424344", "45");
      assertThat(reads.asked).isEqualTo(3);
      channel.read("0001 46");
      assertThat(reads.asked).isEqualTo(3);
      assertThat(channel.events()).containsExactly(frame("46"));
    }
  }

  @Test
  void doesNotAskWhenTheChannelReadsByItself() {
    Reads reads = new Reads();
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.pipeline().addFirst(reads);
      int before = reads.asked;

      channel.read("00", "02", "41", "42");

      // The channel itself asks once for each read that is complete.
      assertThat(reads.asked - before).isEqualTo(4);
    }
  }
}
