package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.hex;
import static dev.mullion.framing.TestBytes.random;
import static dev.mullion.framing.TestBytes.read;
import static dev.mullion.framing.TestBytes.wire;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.IllegalReferenceCountException;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CodecEncodingTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();

  @Test
  void frameIsHeaderAndPayload() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.writeOutbound(read("414243"));

      assertThat(channel.sent()).containsExactly("0003" + "414243");
      assertThat(channel.counted()).isEqualTo("framesEncoded=1 bytesEncoded=5");
    }
  }

  @Test
  void constantsAndTrailerAreWritten() {
    FrameFormat format = FrameFormat.builder()
        .beforeLength((byte) 0xCA, (byte) 0xFE)
        .lengthFieldLength(3)
        .byteOrder(java.nio.ByteOrder.LITTLE_ENDIAN)
        .afterLength((byte) 1)
        .trailer((byte) 0x0D, (byte) 0x0A)
        .build();
    try (CodecChannel channel = CodecChannel.of(format)) {
      channel.channel.writeOutbound(read("4142"), read(""));

      assertThat(channel.sent())
          .containsExactly(
              "CAFE 050000 01 4142 0D0A".replace(" ", "") + "CAFE 030000 01 0D0A".replace(" ", ""));
      assertThat(channel.counted()).isEqualTo("framesEncoded=2 bytesEncoded=18");
    }
  }

  @Test
  void lengthIsFilledIntoTheHeaderThatTheFrameHolds() {
    FrameFormat kept =
        TWO_BYTES.toBuilder().lengthFieldOffset(1).initialBytesToStrip(0).build();
    try (CodecChannel channel = CodecChannel.of(kept)) {
      channel.channel.writeOutbound(read("07 FFFF 4142"));

      assertThat(channel.sent()).containsExactly("07" + "0002" + "4142");
    }
  }

  @Test
  void lengthOfVariableWidthIsWritten() {
    try (CodecChannel channel = CodecChannel.of(FrameFormat.netstring())) {
      channel.channel.writeOutbound(ascii("hello"), ascii(""), ascii("HELLO, WORLD"));

      assertThat(channel.sent()).containsExactly(hex(ascii("5:hello,0:,12:HELLO, WORLD,")));
    }
  }

  @Test
  void framesOfOneFlushAreOneBuffer() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      String frame = "0010" + "41".repeat(16);
      for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 64; i++) {
          channel.channel.write(read(bytes("41".repeat(16))));
        }
        channel.channel.flush();

        List<String> sent = channel.sent();
        assertThat(String.join("", sent)).isEqualTo(frame.repeat(64));
        // The buffer has to grow in the first rounds.
        assertThat(sent.size()).as("round %s", round).isLessThanOrEqualTo(round < 2 ? 4 : 1);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4097, 65_535})
  void longPayloadIsNotCopied(int length) {
    byte[] payload = random(length, 1);
    ByteBuf frame = read(payload);
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(TWO_BYTES));

    channel.writeOutbound(frame.retainedDuplicate());

    ByteBuf sent = channel.readOutbound();
    assertThat(hex(sent.slice(0, 2))).isEqualTo(String.format("%04X", length));
    frame.setByte(0, ~payload[0]).setByte(length - 1, ~payload[length - 1]);
    assertThat(sent.slice(2, length)).as("the same memory").isEqualTo(frame);
    frame.skipBytes(length);
    assertThat(hex(sent.slice(2, length))).as("its own index").hasSize(2 * length);
    assertThat(sent.readableBytes()).isEqualTo(2 + length);
    sent.release();
    assertThat(frame.refCnt()).isOne();
    frame.release();
    channel.finishAndReleaseAll();
  }

  @ParameterizedTest
  @ValueSource(ints = {4096, 4097})
  void releasedFrameFailsAndLeavesNothingOnTheWire(int length) {
    ByteBuf frame = read(new byte[length]);
    frame.release();
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      ChannelFuture refused = channel.channel.write(frame);
      channel.channel.writeOutbound(read("4142"));

      assertThat(refused.cause()).isInstanceOf(IllegalReferenceCountException.class);
      assertThat(channel.sent()).containsExactly("00024142");
    }
  }

  @Test
  @SuppressWarnings("deprecation") // There is no other way to a little-endian view.
  void longPayloadInAnotherByteOrderOrOutsideOfDirectMemoryIsSentAsItIs() {
    byte[] payload = random(5_000, 1);
    String wire = hex(Unpooled.wrappedBuffer(wire(TWO_BYTES, payload)));
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.writeOutbound(read(payload).order(ByteOrder.LITTLE_ENDIAN));
      channel.channel.writeOutbound(Unpooled.copiedBuffer(payload));

      assertThat(String.join("", channel.sent())).isEqualTo(wire + wire);
    }
  }

  @Test
  void shortPayloadIsCopiedAndReleased() {
    ByteBuf frame = read(new byte[4096]);
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.write(frame);

      assertThat(frame.refCnt()).isZero();
      channel.channel.flush();
      assertThat(channel.sent()).containsExactly("1000" + "00".repeat(4096));
    }
  }

  @Test
  void frameThatIsNotAtTheStartOfItsBufferIsSent() {
    ByteBuf large = read(random(10_000, 1)).skipBytes(100);
    byte[] payload = new byte[9_900];
    large.getBytes(100, payload);
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.writeOutbound(read("FFFF 4142").skipBytes(2), large);

      assertThat(String.join("", channel.sent()))
          .isEqualTo(hex(Unpooled.wrappedBuffer(wire(TWO_BYTES, bytes("4142"), payload))));
    }
  }

  @Test
  void encodedFramesGoOutAsTheyAre() {
    ByteBuf wire = read("0001 41 0002 4243");
    long address = wire.memoryAddress();
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(TWO_BYTES));

    channel.writeOutbound(new EncodedFrames(wire, 2));

    ByteBuf sent = channel.readOutbound();
    assertThat(hex(sent)).isEqualTo("0001410002" + "4243");
    assertThat(sent.memoryAddress()).isEqualTo(address);
    sent.release();
    assertThat(wire.refCnt()).isZero();
    channel.finishAndReleaseAll();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void orderIsKeptWhateverIsWritten(long seed) {
    Random random = new Random(seed);
    StringBuilder expected = new StringBuilder();
    try (CodecChannel channel = CodecChannel.of(FrameFormat.netstring())) {
      for (int i = 0; i < 300; i++) {
        int kind = random.nextInt(10);
        byte[] payload = random(kind == 0 ? 5000 + random.nextInt(9000) : random.nextInt(200), i);
        byte[] wire = wire(FrameFormat.netstring(), payload);
        switch (kind) {
          case 1 -> channel.channel.write(new EncodedFrames(read(wire), 1));
          case 2 -> channel.channel.write("message " + i);
          case 3 -> channel.channel.flush();
          default -> channel.channel.write(read(payload));
        }
        if (kind == 2) {
          expected.append("message ").append(i);
        } else if (kind != 3) {
          expected.append(hex(Unpooled.wrappedBuffer(wire)));
        }
      }
      channel.channel.flush();

      assertThat(sent(channel.channel)).isEqualTo(expected.toString());
    }
  }

  @Test
  void whatIsSentIsWhatIsDecoded() {
    List<String> frames = new ArrayList<>();
    try (CodecChannel from = CodecChannel.of(FrameFormat.protobufDelimited());
        CodecChannel to = CodecChannel.of(FrameFormat.protobufDelimited())) {
      for (int length : new int[] {0, 1, 127, 128, 4096, 4097, 16_383, 16_384, 100_000}) {
        byte[] frame = random(length, length);
        frames.add(Recorder.frame(frame));
        from.channel.write(read(frame));
      }
      from.channel.flush();
      for (ByteBuf out = from.channel.readOutbound(); out != null; ) {
        to.channel.writeInbound(out);
        out = from.channel.readOutbound();
      }

      assertThat(to.events()).isEqualTo(frames);
      assertThat(from.codec.counters().bytesEncoded())
          .isEqualTo(to.codec.counters().bytesDecoded());
    }
  }

  private static String sent(EmbeddedChannel channel) {
    StringBuilder all = new StringBuilder();
    for (Object out = channel.readOutbound(); out != null; out = channel.readOutbound()) {
      all.append(out instanceof ByteBuf bytes ? hex(bytes) : out);
      io.netty.util.ReferenceCountUtil.release(out);
    }
    return all.toString();
  }

  private static ByteBuf ascii(String text) {
    return Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII);
  }
}
