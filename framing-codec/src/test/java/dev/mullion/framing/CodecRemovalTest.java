package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.deliveries;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The codec leaves a pipeline, as when the peers agree on another protocol. */
class CodecRemovalTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();
  private static final FrameFormat ONE_BYTE =
      FrameFormat.builder().lengthFieldLength(1).build();

  /** Does something to the pipeline when the frame {@code 55} ("U") comes, and passes all on. */
  private static final class OnUpgrade extends ChannelInboundHandlerAdapter {
    private final Consumer<ChannelHandlerContext> action;

    OnUpgrade(Consumer<ChannelHandlerContext> action) {
      this.action = action;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      boolean upgrade = msg instanceof ByteBuf frame
          ? frame.readableBytes() > 0 && frame.getByte(frame.readerIndex()) == 0x55
          : msg instanceof FrameBatch batch && lastIsUpgrade(batch);
      ctx.fireChannelRead(msg);
      if (upgrade && ctx.pipeline().get(LengthDelimitedCodec.class) != null) {
        action.accept(ctx);
      }
    }

    private static boolean lastIsUpgrade(FrameBatch batch) {
      int last = batch.size() - 1;
      return batch.length(last) > 0 && batch.buffer().getByte(batch.offset(last)) == 0x55;
    }
  }

  private static void remove(ChannelHandlerContext ctx) {
    ctx.pipeline().remove(LengthDelimitedCodec.class);
  }

  private static CodecChannel channel(boolean batches, Consumer<ChannelHandlerContext> action) {
    LengthDelimitedCodec codec =
        LengthDelimitedCodec.builder().format(TWO_BYTES).batches(batches).build();
    return new CodecChannel(codec, new OnUpgrade(action));
  }

  /** All bytes behind the upgrade, in as many pieces as they come. */
  private static String raw(List<String> events, int from) {
    StringBuilder all = new StringBuilder();
    events.subList(from, events.size()).forEach(event -> all.append(event.substring(6)));
    return all.toString();
  }

  @Test
  void bytesBehindTheFrameThatRemovesTheCodecPassOn() {
    byte[] wire = bytes("0001 41  0001 55  0001 42  0002 4344  0009 45");

    for (List<byte[]> reads : deliveries(wire)) {
      try (CodecChannel channel = channel(false, CodecRemovalTest::remove)) {
        channel.read(reads);

        assertThat(channel.events()).startsWith(frame("41"), frame("55"));
        assertThat(raw(channel.events(), 2)).isEqualTo("000142" + "00024344" + "000945");
        assertThat(channel.counted()).isEqualTo("framesDecoded=2 bytesDecoded=6");
      }
    }
  }

  @Test
  void trailerOfTheFrameThatRemovesTheCodecDoesNotPass() {
    LengthDelimitedCodec codec = LengthDelimitedCodec.of(FrameFormat.netstring());
    try (CodecChannel channel = new CodecChannel(codec, new OnUpgrade(CodecRemovalTest::remove))) {
      channel.read("31 3A 41 2C  31 3A 55 2C  31 3A 42 2C");

      assertThat(channel.events()).containsExactly(frame("41"), frame("55"), frame("31 3A 42 2C"));
      assertThat(channel.counted()).isEqualTo("framesDecoded=2 bytesDecoded=8");
    }
  }

  /** A batch has been delivered as a whole when its receiver can remove the codec. */
  @Test
  void bytesBehindTheBatchThatRemovesTheCodecPassOn() {
    byte[] wire = bytes("0001 41  0001 55  0009 42");

    for (List<byte[]> reads : deliveries(wire)) {
      try (CodecChannel channel = channel(true, CodecRemovalTest::remove)) {
        channel.read(reads);

        assertThat(channel.events()).startsWith(frame("41"), frame("55"));
        assertThat(raw(channel.events(), 2)).isEqualTo("000942");
        assertThat(channel.counted()).isEqualTo("framesDecoded=2 bytesDecoded=6");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"00", "0005", "0005 41", "0005 41424344"})
  void pendingPartOfAFramePassesOn(String part) {
    for (List<byte[]> reads : deliveries(bytes("0001 40" + part))) {
      try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
        channel.read(reads);
        channel.channel.pipeline().remove(LengthDelimitedCodec.class);
        channel.read("99");

        assertThat(channel.events()).startsWith(frame("40"));
        assertThat(raw(channel.events(), 1)).isEqualTo(part.replace(" ", "") + "99");
      }
    }
  }

  @Test
  void pendingPartOfALongFramePassesOn() {
    byte[] payload = TestBytes.random(60_000, 1);
    byte[] wire = TestBytes.wire(TWO_BYTES, payload);
    for (int size : new int[] {1000, 8192, 59_999}) {
      try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
        List<byte[]> pieces = TestBytes.pieces(wire, size);
        channel.read(pieces.subList(0, pieces.size() - 1));
        channel.channel.pipeline().remove(LengthDelimitedCodec.class);
        channel.read(pieces.subList(pieces.size() - 1, pieces.size()));

        assertThat(raw(channel.events(), 0)).isEqualTo(frame(wire).substring(6));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void anotherCodecTakesOver(boolean batches) {
    byte[] wire = bytes("0001 41  0001 55  01 42  02 4344  00  01 45");

    for (List<byte[]> reads : deliveries(wire)) {
      Consumer<ChannelHandlerContext> replace = ctx -> ctx.pipeline()
          .replace(LengthDelimitedCodec.class, "next", LengthDelimitedCodec.of(ONE_BYTE));
      // Until its batch ends the first codec reads on, and 0142 bytes are more than there are.
      try (CodecChannel channel = channel(batches, replace)) {
        channel.read(reads);

        assertThat(channel.events())
            .containsExactly(
                frame("41"), frame("55"), frame("42"), frame("4344"), frame(""), frame("45"));
      }
    }
  }

  /** Ends a batch behind the frame {@code 55}, and has what follows decoded as netstrings. */
  private static final class UpgradeInside extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      FrameBatch batch = (FrameBatch) msg;
      for (int i = 0; i < batch.size(); i++) {
        if (batch.length(i) == 1 && batch.bytes(i)[0] == 0x55) {
          batch.endAfter(i);
          LengthDelimitedCodec last = ctx.pipeline().get(LengthDelimitedCodec.class);
          LengthDelimitedCodec.Builder next = LengthDelimitedCodec.builder().batches(true);
          next.format(FrameFormat.netstring()).counters(last.counters());
          ctx.pipeline().replace(last, "next", next.build());
        }
      }
      ctx.fireChannelRead(msg);
    }
  }

  @Test
  void formatChangesInsideABatch() {
    // Read on in the first format there would be another frame, of 0x313A bytes and more.
    byte[] wire = bytes("0001 41  0001 55  31 3A 42 2C  32 3A 43 44 2C  30 3A 2C");

    for (List<byte[]> reads : deliveries(wire)) {
      LengthDelimitedCodec codec =
          LengthDelimitedCodec.builder().format(TWO_BYTES).batches(true).build();
      try (CodecChannel channel = new CodecChannel(codec, new UpgradeInside())) {
        channel.read(reads);

        assertThat(channel.events())
            .containsExactly(frame("41"), frame("55"), frame("42"), frame("4344"), frame(""));
        assertThat(channel.counted()).isEqualTo("framesDecoded=5 bytesDecoded=18");
      }
    }
  }

  @Test
  void framesThatWereDecodedInTheFirstFormatAreDecodedAgain() {
    LengthDelimitedCodec codec = LengthDelimitedCodec.builder()
        .format(FrameFormat.netstring())
        .batches(true)
        .build();
    try (CodecChannel channel = new CodecChannel(codec, new UpgradeInside())) {
      channel.read("31 3A 55 2C  31 3A 41 2C  31 3A 42 2C");

      assertThat(channel.events()).containsExactly(frame("55"), frame("41"), frame("42"));
      assertThat(channel.batches()).containsExactly(1, 2);
      assertThat(channel.counted()).isEqualTo("framesDecoded=3 bytesDecoded=12");
    }
  }

  @Test
  void readThatWaitedPassesOn() {
    Consumer<ChannelHandlerContext> readMoreAndRemove = ctx -> {
      ctx.pipeline().fireChannelRead(TestBytes.read("0001 43"));
      remove(ctx);
    };
    try (CodecChannel channel = channel(false, readMoreAndRemove)) {
      channel.read("0001 55  0001 42");

      assertThat(channel.events()).containsExactly(frame("55"), frame("0001 42"), frame("0001 43"));
    }
  }

  @Test
  void whatWasWrittenIsSent() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.write(Unpooled.wrappedBuffer(bytes("41")));
      channel.channel.write(Unpooled.wrappedBuffer(bytes("4243")));
      channel.channel.pipeline().remove(LengthDelimitedCodec.class);

      assertThat(channel.sent()).containsExactly("000141" + "00024243");
    }
  }

  @Test
  void flushThatWaitsForTheEndOfTheReadIsDone() {
    Consumer<ChannelHandlerContext> answerAndRemove = ctx -> {
      ctx.writeAndFlush(Unpooled.wrappedBuffer(bytes("56")));
      remove(ctx);
      ctx.writeAndFlush(Unpooled.wrappedBuffer(bytes("99")));
    };
    try (CodecChannel channel = channel(false, answerAndRemove)) {
      channel.read("0001 55");

      assertThat(channel.sent()).containsExactly("000156", "99");
    }
  }

  @Test
  void closedChannelStillDeliversTheRestOfTheRead() {
    try (CodecChannel channel = channel(false, ChannelHandlerContext::close)) {
      channel.read("0001 41  0001 55  0001 42  0005 43");

      assertThat(channel.events())
          .containsExactly(
              frame("41"),
              frame("55"),
              frame("42"),
              "TruncatedFrameException: stream ended inside a frame: 1 of 5 payload bytes (frame "
                  + "4)",
              "inactive");
      assertThat(channel.counted())
          .isEqualTo("framesDecoded=3 bytesDecoded=9 framesTruncated=1 bytesDiscarded=3");
    }
  }
}
