package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What breaks a format, with its text, in every delivery and every way to decode. */
class WireErrorsTest {
  private record Broken(String name, FrameFormat format, String wire, List<String> events) {
    static Broken of(String name, FrameFormat.Builder settings, String wire, String... events) {
      return new Broken(name, settings.build(), wire, List.of(events));
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static FrameFormat.Builder two() {
    return FrameFormat.builder().lengthFieldLength(2).maxFrameLength(4);
  }

  private static FrameFormat.Builder eight() {
    return FrameFormat.builder().lengthFieldLength(8);
  }

  private static FrameFormat.Builder framed() {
    return two()
        .beforeLength((byte) 0xCA, (byte) 0xFE)
        .afterLength((byte) 7)
        .trailer((byte) 0x0D, (byte) 0x0A);
  }

  private static List<Broken> broken() {
    List<Broken> all = new ArrayList<>(tooLarge());
    all.addAll(corrupt());
    all.addAll(truncated());
    return all;
  }

  private static List<Broken> tooLarge() {
    return List.of(
        Broken.of("at the limit", two(), "| 0004 | 'abcd' |", "61626364"),
        Broken.of(
            "above the limit, then at it",
            two(),
            "| 0005 | 'abcde' | 0004 | 'abcd' |",
            "FrameTooLargeException: frame length 5 exceeds maxFrameLength 4 (frame 1)",
            "61626364"),
        Broken.of(
            "above the limit, the length counts itself",
            two().lengthAdjustment(-2),
            "| 0006 | 'abcd' | 0007 | 'abcde' | 0003 | 'a' |",
            "61626364",
            "FrameTooLargeException: frame length 5 exceeds maxFrameLength 4 (frame 2)",
            "61"),
        Broken.of(
            "above the limit, with constants",
            framed(),
            "| CAFE | 0008 | 07 | 'abcde' | 0D0A | CAFE | 0007 | 07 | 'abcd' | 0D0A |",
            "FrameTooLargeException: frame length 5 exceeds maxFrameLength 4 (frame 1)",
            "61626364"),
        Broken.of(
            "above the limit and cut",
            two(),
            "| 0001 | 'a' | 0009 | 'abcdefg' |",
            "61",
            "FrameTooLargeException: frame length 9 exceeds maxFrameLength 4 (frame 2)",
            "TruncatedFrameException: stream ended inside a frame: 7 of 9 payload bytes (frame 2)"),
        Broken.of(
            "eight bytes, as unsigned",
            eight(),
            "| 8000000000000000 | 'ab' |",
            "FrameTooLargeException: frame length 9223372036854775808 exceeds maxFrameLength "
                + "8388608"
                + " (frame 1)",
            "TruncatedFrameException: stream ended inside a frame: 2 of 9223372036854775808 payload"
                + " bytes (frame 1)"),
        // The sum of length and adjustment once overflowed and was taken as corrupt.
        Broken.of(
            "eight bytes, with an adjustment beyond signed",
            eight().lengthAdjustment(1),
            "| 7FFFFFFFFFFFFFFF | 'ab' |",
            "FrameTooLargeException: frame length 9223372036854775808 exceeds maxFrameLength "
                + "8388608"
                + " (frame 1)",
            "TruncatedFrameException: stream ended inside a frame: 2 of 9223372036854775808 payload"
                + " bytes (frame 1)"),
        // It once overflowed to a length of 0, and the bytes behind it were taken as a frame.
        Broken.of(
            "eight bytes, with an adjustment beyond unsigned",
            eight().lengthAdjustment(1),
            "| FFFFFFFFFFFFFFFF | 0000000000000000 | 'a' |",
            "FrameTooLargeException: frame length 18446744073709551615 exceeds maxFrameLength"
                + " 8388608 (frame 1)",
            "TruncatedFrameException: stream ended inside a frame: 9 of 18446744073709551615 "
                + "payload"
                + " bytes (frame 1)"),
        Broken.of(
            "eight bytes, with a negative adjustment",
            eight().lengthAdjustment(-8),
            "| 8000000000000000 |",
            "FrameTooLargeException: frame length 9223372036854775800 exceeds maxFrameLength "
                + "8388608"
                + " (frame 1)",
            "TruncatedFrameException: stream ended inside a frame: 0 of 9223372036854775800 payload"
                + " bytes (frame 1)"));
  }

  private static List<Broken> corrupt() {
    return List.of(
        Broken.of(
            "a length that does not count itself",
            two().lengthAdjustment(-2),
            "| 0003 | 'a' | 0001 |",
            "61",
            "CorruptFrameException: length field value 1 with lengthAdjustment -2 is too small"
                + " (expected: >= 2) (frame 2)"),
        Broken.of(
            "a length that leaves constants out",
            framed(),
            "| CAFE | 0002 | 07 | 0D0A |",
            "CorruptFrameException: length field value 2 with lengthAdjustment 0 is too small"
                + " (expected: >= 3) (frame 1)"),
        Broken.of(
            "other bytes before the length",
            framed(),
            "| CAFE | 0004 | 07 | 'a' | 0D0A | CAFF | 0004 | 07 | 'a' | 0D0A |",
            "61",
            "CorruptFrameException: beforeLength bytes are 0xCAFF (expected: 0xCAFE) (frame 2)"),
        Broken.of(
            "other bytes behind the length",
            framed(),
            "| CAFE | 0004 | 08 | 'a' | 0D0A |",
            "CorruptFrameException: afterLength bytes are 0x08 (expected: 0x07) (frame 1)"),
        Broken.of(
            "another trailer",
            framed(),
            "| CAFE | 0004 | 07 | 'a' | 0D0A | CAFE | 0003 | 07 | 0A0D |",
            "61",
            "CorruptFrameException: trailer bytes are 0x0A0D (expected: 0x0D0A) (frame 2)"),
        Broken.of(
            "a constant of which 32 bytes are shown",
            two().beforeLength(new byte[40]),
            "FF".repeat(40) + "0000",
            "CorruptFrameException: beforeLength bytes are 0x" + "FF".repeat(32)
                + "... (expected: 0x" + "00".repeat(32) + "...) (frame 1)"),
        Broken.of(
            "a varint that is over-long",
            FrameFormat.protobufDelimited().toBuilder(),
            "| 01 | 'a' | 8000 |",
            "61",
            "CorruptFrameException: varint length 0 is over-long: 2 bytes, the last is 0"
                + " (frame 2)"));
  }

  private static List<Broken> truncated() {
    String cut = "TruncatedFrameException: stream ended inside a frame: ";
    String good = "| CAFE | 0004 | 07 | 'a' | 0D0A ";
    return List.of(
        Broken.of(
            "in the header", framed(), good + "| CA", "61", cut + "1 of 5 header bytes (frame 2)"),
        Broken.of(
            "in the header behind the length",
            framed(),
            good + "| CAFE | 0005",
            "61",
            cut + "4 of 5 header bytes (frame 2)"),
        Broken.of(
            "behind the header",
            framed(),
            good + "| CAFE | 0005 | 07",
            "61",
            cut + "0 of 2 payload bytes (frame 2)"),
        Broken.of(
            "in the payload",
            framed(),
            good + "| CAFE | 0005 | 07 | 'b'",
            "61",
            cut + "1 of 2 payload bytes (frame 2)"),
        Broken.of(
            "before the trailer",
            framed(),
            good + "| CAFE | 0005 | 07 | 'bc'",
            "61",
            cut + "0 of 2 trailer bytes (frame 2)"),
        Broken.of(
            "in the trailer",
            framed(),
            good + "| CAFE | 0005 | 07 | 'bc' | 0D",
            "61",
            cut + "1 of 2 trailer bytes (frame 2)"),
        Broken.of(
            "in the payload, the header is kept",
            two().initialBytesToStrip(1),
            "| 0003 | 'a'",
            cut + "1 of 3 payload bytes (frame 1)"),
        Broken.of(
            "in a length of variable width",
            FrameFormat.netstring().toBuilder().maxFrameLength(99),
            "'1:a,12'",
            "61",
            cut + "2 header bytes (frame 2)"));
  }

  @ParameterizedTest
  @MethodSource("broken")
  void errorIsTheSameInEveryDelivery(Broken broken) {
    for (Decoding way : Decoding.values()) {
      Delivery.of(Wire.bytes(broken.wire()))
          .filter(delivery -> delivery.copies() == 1)
          .forEach(delivery -> assertThat(way.decode(broken.format(), delivery.pieces()))
              .as("%s, %s", way, delivery)
              .isEqualTo(broken.events()));
    }
  }

  @ParameterizedTest
  @EnumSource
  void encoderRefusesAPayloadAboveTheLimit(Encoding way) throws IOException {
    FrameFormat format = framed().build();

    assertThat(way.encode(format, new byte[4])).hasSize(11);
    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(() -> way.encode(format, new byte[5]))
        .withMessage("frame length 5 exceeds maxFrameLength 4" + way.place())
        .satisfies(error -> {
          assertThat(error.frameLength()).isEqualTo(5);
          assertThat(error.maxFrameLength()).isEqualTo(4);
        });
  }

  private static Stream<Arguments> refused() {
    FrameFormat positive = two().lengthAdjustment(3).build();
    FrameFormat kept = framed().initialBytesToStrip(1).build();
    FrameFormat varint = FrameFormat.protobufDelimited().toBuilder()
        .initialBytesToStrip(0)
        .maxFrameLength(4)
        .build();
    return Stream.of(
        Arguments.of(
            positive,
            "'ab'",
            "payload of 2 bytes is too short for lengthAdjustment 3 (expected: >= 3)"),
        Arguments.of(
            kept,
            "| FE | 0000",
            "frame of 3 bytes is too short for its kept header (expected: >= 4)"),
        Arguments.of(
            kept,
            "| FF | 0000 | 07 |",
            "beforeLength bytes of the frame are 0xCAFF (expected: 0xCAFE)"),
        Arguments.of(
            kept, "| FE | 0000 | 08 |", "afterLength bytes of the frame are 0x08 (expected: 0x07)"),
        Arguments.of(varint, "", "frame of 0 bytes ends inside its kept header"),
        Arguments.of(
            varint,
            "| 02 | 'abc' |",
            "frame of 4 bytes does not match the length in its header (expected: 3)"),
        Arguments.of(varint, "| 8000 |", "varint length 0 is over-long: 2 bytes, the last is 0"));
  }

  @ParameterizedTest
  @MethodSource("refused")
  void encoderRefusesAFrameThatLacksWhatItsFormatKeeps(
      FrameFormat format, String frame, String message) {
    for (Encoding way : Encoding.values()) {
      assertThatExceptionOfType(CorruptFrameException.class)
          .as(way.name())
          .isThrownBy(() -> way.encode(format, Wire.bytes(frame)))
          .withMessage(message + way.place());
    }
  }

  @ParameterizedTest
  @EnumSource
  void encoderRefusesAKeptLengthAboveTheLimit(Encoding way) {
    FrameFormat format = FrameFormat.protobufDelimited().toBuilder()
        .initialBytesToStrip(0)
        .maxFrameLength(4)
        .build();

    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(() -> way.encode(format, Wire.bytes("| 05 | 'abcde' |")))
        .withMessage("frame length 5 exceeds maxFrameLength 4" + way.place());
  }
}
