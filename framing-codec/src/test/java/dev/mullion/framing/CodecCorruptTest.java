package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.deliveries;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Bytes that the format does not allow end the connection, whatever the policy. */
class CodecCorruptTest {
  private static final FrameFormat TPKT = FrameFormat.tpkt();

  @ParameterizedTest
  @EnumSource
  void corruptStreamIsClosedUnderEveryPolicy(TooLargePolicy policy) {
    for (List<byte[]> reads : deliveries(bytes("0300 0005 41  0200 0005 42  0300 0004"))) {
      try (CodecChannel channel = CodecChannel.of(TPKT, policy)) {
        channel.read(reads);

        assertThat(channel.events())
            .filteredOn(event -> !event.equals("inactive"))
            .containsExactly(
                frame("41"),
                "CorruptFrameException: beforeLength bytes are 0x0200 (expected: 0x0300)"
                    + " (peer embedded, frame 2)");
        assertThat(channel.counted())
            .isEqualTo("framesDecoded=1 bytesDecoded=5 framesCorrupt=1 bytesDiscarded=9");
        assertThat(channel.channel.isOpen()).isFalse();
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0300 0003, 'length field value 3 with lengthAdjustment -4 is too small" + " (expected: >= 4)'",
    "0301 0004, 'beforeLength bytes are 0x0301 (expected: 0x0300)'",
  })
  void badHeader(String wire, String text) {
    expectCorrupt(TPKT, bytes(wire), text);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "1:ab, | trailer bytes are 0x62 (expected: 0x2C)",
        "0:x   | trailer bytes are 0x78 (expected: 0x2C)",
        "01:a, | decimal length has a leading zero",
        ":a,   | decimal length contains byte 0x3A (expected: digits, then ':')",
        "1;a,  | decimal length contains byte 0x3B (expected: digits, then ':')",
        "1234567890123456789: | decimal length has more than 18 digits",
      })
  void badNetstring(String wire, String text) {
    expectCorrupt(FrameFormat.netstring(), wire.trim().getBytes(US_ASCII), text);
  }

  @Test
  void badBytesBehindTheLength() {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldLength(1)
        .afterLength((byte) 0xBE, (byte) 0xEF)
        .lengthAdjustment(2)
        .build();

    expectCorrupt(format, bytes("01 BEE0 41"), "afterLength bytes are 0xBEE0 (expected: 0xBEEF)");
  }

  /** Collected from several reads, the payload lies in several parts, the trailer too. */
  @Test
  void badTrailerOfALongFrame() {
    FrameFormat format =
        FrameFormat.builder().trailer((byte) 1, (byte) 2).lengthAdjustment(2).build();
    byte[] wire = TestBytes.wire(format, TestBytes.random(20_000, 1));
    wire[wire.length - 1] = 9;
    for (int size : new int[] {1, 7, 1000, 10_001, 20_005}) {
      try (CodecChannel channel = CodecChannel.of(format)) {
        channel.read(TestBytes.pieces(wire, size));

        assertThat(channel.events())
            .containsExactly(
                "CorruptFrameException: trailer bytes are 0x0109 (expected: 0x0102)"
                    + " (peer embedded, frame 1)",
                "inactive");
        assertThat(channel.counted()).isEqualTo("framesCorrupt=1 bytesDiscarded=20006");
      }
    }
  }

  @Test
  void longConstantIsShownInPart() {
    byte[] magic = TestBytes.random(40, 1);
    byte[] wire = new byte[41];
    FrameFormat format =
        FrameFormat.builder().beforeLength(magic).lengthFieldLength(1).build();

    expectCorrupt(
        format,
        wire,
        "beforeLength bytes are 0x"
            + "00".repeat(32)
            + "... (expected: 0x"
            + frame(magic).substring(6, 6 + 64)
            + "...)");
  }

  @Test
  void errorInsideABatchComesBehindTheGoodFrames() {
    try (CodecChannel channel = CodecChannel.of(TPKT, true)) {
      channel.read("0300 0005 41  0300 0005 42  0300 0000");

      assertThat(channel.batches()).containsExactly(2);
      assertThat(channel.events())
          .containsExactly(
              frame("41"),
              frame("42"),
              "CorruptFrameException: length field value 0 with lengthAdjustment -4 is too"
                  + " small (expected: >= 4) (peer embedded, frame 3)",
              "inactive");
    }
  }

  private static void expectCorrupt(FrameFormat format, byte[] wire, String text) {
    for (List<byte[]> reads : deliveries(wire)) {
      try (CodecChannel channel = CodecChannel.of(format)) {
        channel.read(reads);

        assertThat(channel.events())
            .containsExactly(
                "CorruptFrameException: " + text + " (peer embedded, frame 1)", "inactive");
        assertThat(channel.counted()).isEqualTo("framesCorrupt=1 bytesDiscarded=" + wire.length);
      }
    }
  }
}
