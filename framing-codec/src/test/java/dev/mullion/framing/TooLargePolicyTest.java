package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.deliveries;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class TooLargePolicyTest {
  private static final FrameFormat MAX_4 =
      FrameFormat.dnsOverTcp().toBuilder().maxFrameLength(4).build();
  private static final FrameFormat EIGHT_BYTES =
      FrameFormat.builder().lengthFieldLength(8).maxFrameLength(4).build();
  private static final String WIRE = "0001 40  0006 414243444546  0001 47";

  @Test
  void closeIsTheDefault() {
    try (CodecChannel channel = CodecChannel.of(MAX_4)) {
      channel.read("0005");

      assertThat(channel.channel.isOpen()).isFalse();
    }
  }

  @Test
  void closeReportsAndClosesAndDiscardsWhatFollows() {
    for (List<byte[]> reads : deliveries(bytes(WIRE))) {
      try (CodecChannel channel = CodecChannel.of(MAX_4, TooLargePolicy.CLOSE)) {
        channel.read(reads);

        assertThat(channel.events())
            .filteredOn(event -> !event.equals("inactive"))
            .containsExactly(
                frame("40"),
                "FrameTooLargeException: frame length 6 exceeds maxFrameLength 4"
                    + " (peer embedded, frame 2)");
        assertThat(channel.counted())
            .isEqualTo("framesDecoded=1 bytesDecoded=3 framesTooLarge=1 bytesDiscarded=11");
        assertThat(channel.channel.isOpen()).isFalse();
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void reportTellsAndGoesOnBehindTheFrame(boolean batches) {
    for (List<byte[]> reads : deliveries(bytes(WIRE))) {
      LengthDelimitedCodec codec = LengthDelimitedCodec.builder()
          .format(MAX_4)
          .tooLargePolicy(TooLargePolicy.REPORT)
          .batches(batches)
          .build();
      try (CodecChannel channel = new CodecChannel(codec)) {
        channel.read(reads).end();

        assertThat(channel.events())
            .containsExactly(
                frame("40"),
                "FrameTooLargeException: frame length 6 exceeds maxFrameLength 4"
                    + " (peer embedded, frame 2)",
                frame("47"),
                "inactive");
        assertThat(channel.counted())
            .isEqualTo("framesDecoded=2 bytesDecoded=6 framesTooLarge=1 bytesDiscarded=8");
      }
    }
  }

  @Test
  void skipGoesOnWithoutAWord() {
    for (List<byte[]> reads : deliveries(bytes(WIRE))) {
      try (CodecChannel channel = CodecChannel.of(MAX_4, TooLargePolicy.SKIP)) {
        channel.read(reads).end();

        assertThat(channel.events()).containsExactly(frame("40"), frame("47"), "inactive");
        assertThat(channel.counted())
            .isEqualTo("framesDecoded=2 bytesDecoded=6 framesTooLarge=1 bytesDiscarded=8");
      }
    }
  }

  @Test
  void skipTakesTheTrailerToo() {
    FrameFormat netstring =
        FrameFormat.netstring().toBuilder().maxFrameLength(4).build();
    // 5:HELLO,1:a,
    for (List<byte[]> reads : deliveries(bytes("353A48454C4C4F2C 313A612C"))) {
      try (CodecChannel channel = CodecChannel.of(netstring, TooLargePolicy.SKIP)) {
        channel.read(reads).end();

        assertThat(channel.events()).containsExactly(frame("61"), "inactive");
        assertThat(channel.counted())
            .isEqualTo("framesDecoded=1 bytesDecoded=4 framesTooLarge=1 bytesDiscarded=8");
      }
    }
  }

  @Test
  void numberOfTheNextErrorCountsTheSkippedFrame() {
    try (CodecChannel channel = CodecChannel.of(MAX_4, TooLargePolicy.REPORT)) {
      channel.read("0005 4142434445 0000 0009");

      assertThat(channel.events())
          .containsExactly(
              "FrameTooLargeException: frame length 5 exceeds maxFrameLength 4"
                  + " (peer embedded, frame 1)",
              frame(""),
              "FrameTooLargeException: frame length 9 exceeds maxFrameLength 4"
                  + " (peer embedded, frame 3)");
    }
  }

  @ParameterizedTest
  @CsvSource({"0003 414243, 414243", "0004 41424344, 41424344"})
  void frameUpToTheLimitIsDelivered(String wire, String delivered) {
    try (CodecChannel channel = CodecChannel.of(MAX_4)) {
      channel.read(wire);

      assertThat(channel.events()).containsExactly(frame(delivered));
    }
  }

  @ParameterizedTest
  @EnumSource
  void lengthIsRefusedBeforeThePayloadComes(TooLargePolicy policy) {
    try (CodecChannel channel = CodecChannel.of(MAX_4, policy)) {
      channel.read("0005");

      assertThat(channel.counted()).isEqualTo("framesTooLarge=1 bytesDiscarded=2");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "7FFFFFFFFFFFFFFF, 9223372036854775807",
    "8000000000000000, 9223372036854775808",
    "FFFFFFFFFFFFFFFF, 18446744073709551615",
  })
  void lengthBeyondAllReasonIsShownUnsignedAndNeverEnds(String field, String shown) {
    for (List<byte[]> reads : deliveries(bytes(field + "414243"))) {
      try (CodecChannel channel = CodecChannel.of(EIGHT_BYTES, TooLargePolicy.REPORT)) {
        channel.read(reads).read(new String[] {"0000000000000001 45"}).end();

        assertThat(channel.events())
            .containsExactly(
                "FrameTooLargeException: frame length "
                    + shown
                    + " exceeds maxFrameLength 4 (peer embedded, frame 1)",
                "TruncatedFrameException: stream ended inside a frame: 12 of "
                    + shown
                    + " payload bytes (peer embedded, frame 1)",
                "inactive");
        assertThat(channel.counted())
            .isEqualTo("framesTooLarge=1 framesTruncated=1 bytesDiscarded=20");
      }
    }
  }

  /** Added to a length near 2^64 or 2^63 the adjustment once made it small, or negative. */
  @ParameterizedTest
  @CsvSource({
    "7FFFFFFFFFFFFFFF, 9223372036854775811",
    "FFFFFFFFFFFFFFFB, 18446744073709551615",
    "FFFFFFFFFFFFFFFF, 18446744073709551615",
  })
  void adjustmentDoesNotMakeAHugeLengthSmall(String field, String shown) {
    FrameFormat adjusted = FrameFormat.builder()
        .lengthFieldLength(8)
        .lengthAdjustment(4)
        .maxFrameLength(10)
        .build();
    try (CodecChannel channel = CodecChannel.of(adjusted, TooLargePolicy.REPORT)) {
      channel.read(field + "41424344 0000000000000000 41424344");

      assertThat(channel.events())
          .containsExactly("FrameTooLargeException: frame length "
              + shown
              + " exceeds maxFrameLength 10 (peer embedded, frame 1)");
    }
  }

  @Test
  void negativeAdjustmentIsTakenFromAHugeLength() {
    FrameFormat adjusted = FrameFormat.builder()
        .lengthFieldLength(8)
        .lengthAdjustment(-8)
        .maxFrameLength(10)
        .build();
    try (CodecChannel channel = CodecChannel.of(adjusted, TooLargePolicy.REPORT)) {
      channel.read("8000000000000007 41").end();

      assertThat(channel.events())
          .containsExactly(
              "FrameTooLargeException: frame length 9223372036854775807"
                  + " exceeds maxFrameLength 10 (peer embedded, frame 1)",
              "TruncatedFrameException: stream ended inside a frame: 1 of 9223372036854775807"
                  + " payload bytes (peer embedded, frame 1)",
              "inactive");
    }
  }

  /** The numbers were once those of the payload, and so negative or too large. */
  @ParameterizedTest
  @CsvSource({
    "06,                    1 of 3 header bytes",
    "06 0000,               0 of 6 payload bytes",
    "06 0000 41,            1 of 6 payload bytes",
    "06 0000 414243444546,  0 of 2 trailer bytes",
    "06 0000 414243444546 0D, 1 of 2 trailer bytes",
  })
  void endInsideASkippedFrameNamesThePart(String wire, String text) {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldLength(1)
        .afterLength((byte) 0, (byte) 0)
        .trailer((byte) 0x0D, (byte) 0x0A)
        .lengthAdjustment(4)
        .maxFrameLength(5)
        .build();
    for (List<byte[]> reads : deliveries(bytes(wire))) {
      try (CodecChannel channel = CodecChannel.of(format, TooLargePolicy.SKIP)) {
        channel.read(reads).end();

        assertThat(channel.events())
            .containsExactly(
                "TruncatedFrameException: stream ended inside a frame: "
                    + text
                    + " (peer embedded, frame 1)",
                "inactive");
      }
    }
  }
}
