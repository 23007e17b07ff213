package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CodecPartsTest {
  private static final int LONG = 5000;

  private final byte[] payload = new byte[LONG];
  private final FrameCounters counters = new FrameCounters();
  private final Parts seen = new Parts();

  CodecPartsTest() {
    new Random(1).nextBytes(payload);
  }

  @Test
  void longFrameComesInPartsWhereverItIsCut() {
    byte[] wire = wire(payload, new byte[] {'a'});
    for (int cut = 1; cut < wire.length; cut++) {
      Parts parts = new Parts();
      EmbeddedChannel channel = channel(FrameFormat.defaults(), parts);
      write(channel, wire, 0, cut);
      write(channel, wire, cut, wire.length - cut);
      channel.finishAndReleaseAll();

      // A header that is not complete is collected, and so is its frame; a whole frame is no part.
      boolean whole = cut < 4 || cut >= 4 + LONG;
      List<String> expected = whole
          ? List.of(LONG + " batch", "1 batch")
          : List.of((cut - 4) + " first", (LONG + 4 - cut) + " last", "1 batch");
      assertThat(parts.events).as("cut at %d", cut).isEqualTo(expected);
      assertThat(ByteBufUtil.getBytes(parts.delivered))
          .as("cut at %d", cut)
          .isEqualTo(ByteBufUtil.getBytes(Unpooled.wrappedBuffer(payload, new byte[] {'a'})));
    }
  }

  @Test
  void partsBetweenTheFirstAndTheLastAreNeither() {
    byte[] wire = wire(payload);
    EmbeddedChannel channel = channel(FrameFormat.defaults(), seen);
    for (int at = 0; at < wire.length; at += 1251) {
      write(channel, wire, at, 1251);
    }

    assertThat(seen.events).containsExactly("1247 first", "1251", "1251", "1251 last");
    assertThat(ByteBufUtil.getBytes(seen.delivered)).isEqualTo(payload);
    assertThat(counters.framesDecoded()).isEqualTo(1);
    assertThat(counters.bytesDecoded()).isEqualTo(4 + LONG);
    channel.finishAndReleaseAll();
    assertThat(seen.errors).isEmpty();
  }

  @Test
  void keptHeaderIsInTheFirstPart() {
    byte[] wire = wire(payload);
    FrameFormat kept = FrameFormat.builder().initialBytesToStrip(0).build();
    EmbeddedChannel channel = channel(kept, seen);
    write(channel, wire, 0, 100);
    write(channel, wire, 100, wire.length - 100);
    channel.finishAndReleaseAll();

    assertThat(seen.events).containsExactly("100 first", "4904 last");
    assertThat(ByteBufUtil.getBytes(seen.delivered)).isEqualTo(wire);
  }

  @Test
  void partsThatAreWrittenBackGiveTheSameWire() {
    byte[] wire = wire(new byte[] {'a', 'b'}, payload, new byte[0]);
    LengthDelimitedCodec codec = builder(FrameFormat.defaults()).build();
    EmbeddedChannel channel = new EmbeddedChannel(codec, new ChannelInboundHandlerAdapter() {
      @Override
      public void channelRead(ChannelHandlerContext ctx, Object msg) {
        ctx.writeAndFlush(
            msg instanceof FramePart part ? part.encoded() : ((FrameBatch) msg).encoded());
      }
    });
    write(channel, wire, 0, 2000);
    write(channel, wire, 2000, wire.length - 2000);

    ByteBuf out = Unpooled.buffer();
    for (ByteBuf written; (written = channel.readOutbound()) != null; written.release()) {
      out.writeBytes(written);
    }
    assertThat(ByteBufUtil.getBytes(out)).isEqualTo(wire);
    assertThat(counters.framesEncoded()).isEqualTo(3);
    assertThat(counters.bytesEncoded()).isEqualTo(wire.length);
    channel.finishAndReleaseAll();
  }

  @Test
  void endInsideAPartIsATruncatedFrame() {
    EmbeddedChannel channel = channel(FrameFormat.defaults(), seen);
    write(channel, wire(payload), 0, 104);
    channel.finishAndReleaseAll();

    assertThat(seen.events).containsExactly("100 first");
    assertThat(seen.errors)
        .containsExactly("TruncatedFrameException: stream ended inside a frame: 100 of 5000 payload"
            + " bytes (frame 1)");
    assertThat(counters.framesTruncated()).isEqualTo(1);
    assertThat(counters.framesDecoded()).isZero();
  }

  @Test
  void frameWithATrailerIsCollected() {
    EmbeddedChannel channel = channel(FrameFormat.netstring(), seen);
    ByteBuf wire = Unpooled.buffer();
    wire.writeBytes("5000:".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    wire.writeBytes(payload).writeByte(',');
    byte[] bytes = ByteBufUtil.getBytes(wire);
    write(channel, bytes, 0, 100);
    write(channel, bytes, 100, bytes.length - 100);
    channel.finishAndReleaseAll();

    assertThat(seen.events).containsExactly("5000 batch");
    assertThat(ByteBufUtil.getBytes(seen.delivered)).isEqualTo(payload);
  }

  @Test
  void codecRemovedInsideALongFramePassesTheRestOn() {
    byte[] wire = wire(payload);
    EmbeddedChannel channel = channel(FrameFormat.defaults(), seen);
    write(channel, wire, 0, 1004);
    channel.pipeline().remove(LengthDelimitedCodec.class);
    write(channel, wire, 1004, wire.length - 1004);

    assertThat(seen.events).containsExactly("1000 first", "4000 bytes");
    assertThat(ByteBufUtil.getBytes(seen.delivered)).isEqualTo(payload);
    channel.finishAndReleaseAll();
  }

  @Test
  void partsWithoutBatchesAreRefused() {
    assertThatThrownBy(() -> LengthDelimitedCodec.builder().parts(true).build())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("parts: true needs batches: true (batches: false)");
  }

  private LengthDelimitedCodec.Builder builder(FrameFormat format) {
    return LengthDelimitedCodec.builder()
        .format(format)
        .counters(counters)
        .batches(true)
        .parts(true);
  }

  private EmbeddedChannel channel(FrameFormat format, Parts parts) {
    return new EmbeddedChannel(builder(format).build(), parts);
  }

  private static byte[] wire(byte[]... payloads) {
    ByteBuf wire = Unpooled.buffer();
    for (byte[] payload : payloads) {
      wire.writeInt(payload.length).writeBytes(payload);
    }
    return ByteBufUtil.getBytes(wire);
  }

  private static void write(EmbeddedChannel channel, byte[] wire, int offset, int length) {
    channel.writeInbound(channel.alloc().buffer().writeBytes(wire, offset, length));
  }

  /** Copies what arrives, while it is valid. */
  private static final class Parts extends ChannelInboundHandlerAdapter {
    final List<String> events = new ArrayList<>();
    final List<String> errors = new ArrayList<>();
    final ByteBuf delivered = Unpooled.buffer();

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      if (msg instanceof FramePart part) {
        String place = (part.isFirst() ? " first" : "") + (part.isLast() ? " last" : "");
        events.add(part.length() + place);
        delivered.writeBytes(part.buffer(), part.offset(), part.length());
      } else if (msg instanceof FrameBatch batch) {
        for (int i = 0; i < batch.size(); i++) {
          events.add(batch.length(i) + " batch");
          delivered.writeBytes(batch.buffer(), batch.offset(i), batch.length(i));
        }
      } else {
        ByteBuf bytes = (ByteBuf) msg;
        events.add(bytes.readableBytes() + " bytes");
        delivered.writeBytes(bytes);
        bytes.release();
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      errors.add(Decoding.text(cause));
    }
  }
}
