package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.mullion.framing.testing.OneByteLength;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Lengths that the library does not know, through all the ways to decode and to encode. */
class CustomLengthTest {
  private static final FrameFormat FOUR_DIGITS =
      FrameFormat.builder().lengthEncoding(new FourDigits()).build();
  private static final String HELLO = "| '0012' | 'HELLO, WORLD' |";

  private static final FrameFormat ENDLESS =
      FrameFormat.builder().lengthFieldOffset(1).lengthEncoding(new Endless()).build();

  /**
   * Decodes a wire in all ways and deliveries.
   *
   * @param glued whether the events come twice where the wire comes twice; an error ends all
   */
  private static void expect(FrameFormat format, String wire, boolean glued, String... events) {
    for (Decoding way : Decoding.values()) {
      Delivery.of(Wire.bytes(wire))
          .forEach(delivery -> assertThat(way.decode(format, delivery.pieces()))
              .as("%s, %s", way, delivery)
              .isEqualTo(glued ? delivery.each(events) : List.of(events)));
    }
  }

  @Test
  void fourDigitsAreDecoded() {
    expect(FOUR_DIGITS, HELLO, true, Wire.hex("'HELLO, WORLD'"));
  }

  @ParameterizedTest
  @EnumSource
  void fourDigitsAreEncoded(Encoding way) throws IOException {
    byte[] wire = way.encode(FOUR_DIGITS, Wire.bytes("'HELLO, WORLD'"), Bytes.NONE);

    assertThat(Wire.hex(wire)).isEqualTo(Wire.hex(HELLO + "'0000'"));
  }

  @ParameterizedTest
  @EnumSource
  void fourDigitsAreFilledInWhereTheyAreKept(Encoding way) throws IOException {
    FrameFormat kept = FOUR_DIGITS.toBuilder().initialBytesToStrip(0).build();

    assertThat(Wire.hex(way.encode(kept, Wire.bytes("| '????' | 'HELLO, WORLD' |"))))
        .isEqualTo(Wire.hex(HELLO));
  }

  @ParameterizedTest
  @EnumSource
  void fourDigitsBoundTheFrame(Encoding way) {
    assertThat(FOUR_DIGITS.maxFrameLength()).isEqualTo(9999);
    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(() -> way.encode(FOUR_DIGITS, new byte[10_000]))
        .withMessage("frame length 10000 exceeds maxFrameLength 9999" + way.place());
  }

  @Test
  void errorOfTheEncodingHasItsPlace() {
    expect(
        FOUR_DIGITS,
        "| '0001' | '!' | '00x2' | 'HELLO, WORLD' |",
        false,
        "21",
        "CorruptFrameException: length is not decimal (frame 2)");
  }

  @Test
  void lengthThatNeverCompletesIsRefusedAtItsMaxWidth() {
    expect(
        ENDLESS,
        "| FF | 010203 | 04050607 |",
        false,
        "CorruptFrameException: length is incomplete after 3 bytes"
            + " (expected: <= 3, Endless[]) (frame 1)");
  }

  @ParameterizedTest
  @EnumSource
  void lengthThatNeverCompletesIsNotRefusedBefore(Decoding way) {
    assertThat(way.decode(ENDLESS, List.of(Wire.bytes("| FF | 0102 |"))))
        .containsExactly(
            "TruncatedFrameException: stream ended inside a frame: 3 header bytes" + " (frame 1)");
  }

  @Test
  void encodingThatFailsLeavesNothingOnTheWire() throws IOException {
    FrameFormat format = ENDLESS.toBuilder().beforeLength((byte) 1).build();
    ByteArrayOutputStream wire = new ByteArrayOutputStream();

    try (FrameWriter writer = FrameWriter.of(wire, format)) {
      assertThatExceptionOfType(CorruptFrameException.class)
          .isThrownBy(() -> writer.write(new byte[2]))
          .withMessage("lengthEncoding: Endless[] failed to write 2:"
              + " java.lang.UnsupportedOperationException: 2")
          .withCauseExactlyInstanceOf(UnsupportedOperationException.class);
    }

    assertThat(wire.toByteArray()).isEmpty();
  }

  /** A pipeline once dropped what it had read, and went on with the next read. */
  @Test
  void encodingThatFailsLeavesTheStreamCorrupt() {
    FrameFormat format = FrameFormat.builder().lengthEncoding(new NoNines()).build();

    expect(
        format,
        "| 01 | 'a' | 09 | 0102 | 01 | 'b' |",
        false,
        "61",
        "CorruptFrameException: lengthEncoding: NoNines[] failed:"
            + " java.lang.IllegalArgumentException: nine (frame 2)");
  }

  @Test
  void failureOfTheEncodingIsTheCause() {
    FrameFormat format = FrameFormat.builder().lengthEncoding(new NoNines()).build();
    FrameReader reader = FrameReader.of(new ByteArrayInputStream(Wire.bytes("09")), format);

    assertThatExceptionOfType(CorruptFrameException.class)
        .isThrownBy(reader::read)
        .withCauseExactlyInstanceOf(IllegalArgumentException.class);
  }

  private record NoNines() implements OneByteLength {
    @Override
    public long maxValue() {
      return 99;
    }

    @Override
    public long read(ByteBuffer in) {
      byte value = in.get();
      if (value == 9) {
        throw new IllegalArgumentException("nine");
      }
      return value;
    }

    @Override
    public void write(long value, ByteBuffer out) {
      out.put((byte) value);
    }
  }

  private record Endless() implements LengthEncoding {
    @Override
    public int minWidth() {
      return 1;
    }

    @Override
    public int maxWidth() {
      return 3;
    }

    @Override
    public long maxValue() {
      return 99;
    }

    @Override
    public long read(ByteBuffer in) {
      in.position(in.limit());
      return INCOMPLETE;
    }

    @Override
    public void write(long value, ByteBuffer out) {
      throw new UnsupportedOperationException(Long.toString(value));
    }
  }
}
