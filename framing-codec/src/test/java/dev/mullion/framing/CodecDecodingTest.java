package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.deliveries;
import static dev.mullion.framing.TestBytes.hex;
import static dev.mullion.framing.TestBytes.read;
import static dev.mullion.framing.TestBytes.wire;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CodecDecodingTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void framesComeInOrderHoweverTheyAreCut(boolean batches) {
    byte[] wire = bytes("0003 414243  0000  0001 44  0002 4546");

    for (List<byte[]> reads : deliveries(wire)) {
      try (CodecChannel channel = CodecChannel.of(TWO_BYTES, batches)) {
        channel.read(reads);

        assertThat(channel.events())
            .containsExactly(frame("414243"), frame(""), frame("44"), frame("4546"));
        assertThat(channel.counted()).isEqualTo("framesDecoded=4 bytesDecoded=14");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void headerThatIsKeptIsDelivered(boolean batches) {
    FrameFormat whole = TWO_BYTES.toBuilder().initialBytesToStrip(0).build();

    for (List<byte[]> reads : deliveries(bytes("0002 4142  0001 43"))) {
      try (CodecChannel channel = CodecChannel.of(whole, batches)) {
        channel.read(reads);

        assertThat(channel.events()).containsExactly(frame("0002 4142"), frame("0001 43"));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void lengthOfVariableWidthAndTrailerAreCutAnywhere(boolean batches) {
    byte[] wire = "5:hello,0:,11:HELLO WORLD,".getBytes(US_ASCII);

    for (List<byte[]> reads : deliveries(wire)) {
      try (CodecChannel channel = CodecChannel.of(FrameFormat.netstring(), batches)) {
        channel.read(reads);

        assertThat(channel.events())
            .containsExactly(frame("68656C6C6F"), frame(""), frame("48454C4C4F 20 574F524C44"));
        assertThat(channel.counted()).isEqualTo("framesDecoded=3 bytesDecoded=26");
      }
    }
  }

  @Test
  void framesAreSlicesOfTheRead() {
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(TWO_BYTES));
    ByteBuf read = read("0002 4142  0001 43");

    channel.writeInbound(read);
    ByteBuf first = channel.readInbound();
    ByteBuf second = channel.readInbound();

    assertThat(first.memoryAddress()).isEqualTo(read.memoryAddress() + 2);
    assertThat(second.memoryAddress()).isEqualTo(read.memoryAddress() + 6);
    first.release();
    second.release();
    channel.finishAndReleaseAll();
  }

  @Test
  void eachFrameIsReleasedByItself() {
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(TWO_BYTES));
    ByteBuf read = read("0002 4142  0001 43  0001 44");
    channel.writeInbound(read);
    ByteBuf first = channel.readInbound();
    ByteBuf second = channel.readInbound();
    ByteBuf third = channel.readInbound();

    assertThat(read.refCnt()).isEqualTo(3);
    second.release();
    first.release();
    assertThat(hex(third)).isEqualTo("44");
    channel.finishAndReleaseAll();
    assertThat(hex(third)).as("kept after the channel is gone").isEqualTo("44");
    third.release();
    assertThat(read.refCnt()).isZero();
  }

  @Test
  void frameFromSeveralReadsIsReleasedByItsReceiver() {
    EmbeddedChannel channel = new EmbeddedChannel(LengthDelimitedCodec.of(TWO_BYTES));
    ByteBuf begin = read("0003 41");
    ByteBuf end = read("4243  0001 44");

    channel.writeInbound(begin, end);
    ByteBuf first = channel.readInbound();
    ByteBuf second = channel.readInbound();

    assertThat(hex(first)).isEqualTo("414243");
    assertThat(begin.refCnt()).isZero();
    second.release();
    assertThat(end.refCnt()).isZero();
    assertThat(first.release()).isTrue();
    channel.finishAndReleaseAll();
  }

  @ParameterizedTest
  @ValueSource(ints = {8191, 8192, 8193, 20_000})
  void runsAreOfAnyLength(int frames) {
    byte[][] sent = new byte[frames][];
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < frames; i++) {
      sent[i] = new byte[] {(byte) i, (byte) (i >> 8)};
      expected.add(frame(sent[i]));
    }
    byte[] wire = wire(TWO_BYTES, sent);

    for (boolean batches : new boolean[] {false, true}) {
      try (CodecChannel channel = CodecChannel.of(TWO_BYTES, batches)) {
        channel.read(read(wire));

        assertThat(channel.events()).isEqualTo(expected);
        assertThat(channel.counted())
            .isEqualTo("framesDecoded=" + frames + " bytesDecoded=" + 4 * frames);
      }
    }
  }

  @Test
  void batchHoldsUpTo8192Frames() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES, true)) {
      channel.read(read(new byte[2 * 20_000]));

      assertThat(channel.batches()).containsExactly(8192, 8192, 3616);
    }
  }

  @Test
  void messagesThatAreNoBuffersPass() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.channel.writeInbound("a message");
      channel.read("0001 41");

      assertThat(channel.events()).containsExactly("a message", frame("41"));
    }
  }

  @Test
  void emptyReadsAreReleasedAndGiveNothing() {
    ByteBuf nothing = read();
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.read(nothing).read("0001", "").read(read()).read("41");

      assertThat(channel.events()).containsExactly(frame("41"));
      assertThat(nothing.refCnt()).isZero();
    }
  }
}
