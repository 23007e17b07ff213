package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.deliveries;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.netty.channel.socket.ChannelInputShutdownReadComplete;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ends of the input: between two frames, and inside one. */
class CodecEndTest {
  private static final FrameFormat TWO_BYTES = FrameFormat.dnsOverTcp();
  private static final String CUT = "TruncatedFrameException: stream ended inside a frame: ";

  @ParameterizedTest
  @ValueSource(strings = {"", "0001 41", "0001 41 0000"})
  void cleanEndBetweenFrames(String wire) {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.read(wire).end();

      assertThat(channel.events())
          .filteredOn(event -> !event.startsWith("frame"))
          .containsExactly("inactive");
      assertThat(channel.codec.counters().framesTruncated()).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "00,            1 of 2 header bytes",
    "0003,          0 of 3 payload bytes",
    "0003 41,       1 of 3 payload bytes",
    "0003 4142,     2 of 3 payload bytes",
  })
  void endInsideAFrame(String part, String text) {
    for (List<byte[]> reads : deliveries(bytes("0001 40" + part))) {
      try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
        channel.read(reads).end();

        assertThat(channel.events())
            .containsExactly(frame("40"), CUT + text + " (frame 2)", "inactive");
        assertThat(channel.counted())
            .isEqualTo("framesDecoded=1 bytesDecoded=3 framesTruncated=1 bytesDiscarded="
                + bytes(part).length);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1,       1 header bytes",
    "11,      2 header bytes",
    "2:,      0 of 2 payload bytes",
    "2:a,     1 of 2 payload bytes",
    "2:ab,    0 of 1 trailer bytes",
    "0:,      0 of 1 trailer bytes",
  })
  void endInsideANetstring(String part, String text) {
    for (List<byte[]> reads : deliveries(part.getBytes(US_ASCII))) {
      try (CodecChannel channel = CodecChannel.of(FrameFormat.netstring())) {
        channel.read(reads).end();

        assertThat(channel.events()).containsExactly(CUT + text + " (frame 1)", "inactive");
      }
    }
  }

  @Test
  void endInsideATrailer() {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldLength(1)
        .trailer((byte) 0x0D, (byte) 0x0A)
        .lengthAdjustment(2)
        .build();
    try (CodecChannel channel = CodecChannel.of(format)) {
      channel.read("01 41 0D0A 01 42 0D").end();

      assertThat(channel.events())
          .containsExactly(frame("41"), CUT + "1 of 2 trailer bytes (frame 2)", "inactive");
    }
  }

  @Test
  void headerThatIsKeptIsNotCountedAsPayload() {
    FrameFormat whole = TWO_BYTES.toBuilder().initialBytesToStrip(0).build();
    try (CodecChannel channel = CodecChannel.of(whole)) {
      channel.read("0005 4142").end();

      assertThat(channel.events())
          .containsExactly(CUT + "2 of 5 payload bytes (frame 1)", "inactive");
    }
  }

  @Test
  void errorTellsTheNumbers() {
    TruncatedFrameException[] caught = new TruncatedFrameException[1];
    var catcher = new io.netty.channel.ChannelInboundHandlerAdapter() {
      @Override
      public void exceptionCaught(io.netty.channel.ChannelHandlerContext ctx, Throwable cause) {
        caught[0] = (TruncatedFrameException) cause;
      }
    };
    try (CodecChannel channel = new CodecChannel(LengthDelimitedCodec.of(TWO_BYTES), catcher)) {
      channel.read("0000 0000 0007 41").end();

      assertThat(caught[0].received()).isEqualTo(1);
      assertThat(caught[0].expected()).isEqualTo(7);
      assertThat(caught[0].frameNumber()).isEqualTo(3);
      assertThat(caught[0].peer()).as("an embedded channel has none at its end").isNull();
    }
  }

  @Test
  void cutOfAHalfClosedSocketIsReportedOnceAndBeforeTheEvent() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.read("0003 41");
      channel.channel.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
      channel.channel.pipeline().fireUserEventTriggered(ChannelInputShutdownReadComplete.INSTANCE);
      channel.end();

      assertThat(channel.events())
          .containsExactly(
              CUT + "1 of 3 payload bytes (peer embedded, frame 1)",
              "ChannelInputShutdownEvent",
              "ChannelInputShutdownReadComplete",
              "inactive");
      assertThat(channel.counted()).isEqualTo("framesTruncated=1 bytesDiscarded=3");
    }
  }

  @Test
  void halfClosedSocketBetweenFramesIsNoError() {
    try (CodecChannel channel = CodecChannel.of(TWO_BYTES)) {
      channel.read("0001 41");
      channel.channel.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
      channel.end();

      assertThat(channel.events())
          .containsExactly(frame("41"), "ChannelInputShutdownEvent", "inactive");
    }
  }
}
