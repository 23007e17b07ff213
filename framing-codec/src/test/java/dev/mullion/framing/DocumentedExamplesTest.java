package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The worked examples in the documentation of tokio-util and Netty, with the same bytes. */
class DocumentedExamplesTest {
  /** What one library's page shows: settings, a frame on the wire, and what is delivered of it. */
  private record Example(String name, FrameFormat format, String onTheWire, String decoded) {
    static Example of(String name, FrameFormat.Builder settings, String wire, String decoded) {
      return new Example(name, settings.build(), wire, decoded);
    }

    byte[] wire() {
      return Wire.bytes(onTheWire);
    }

    byte[] frame() {
      return Wire.bytes(decoded);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static Stream<Example> encodable() {
    return Stream.of(
        Example.of(
            "tokio-util 1: the header is stripped",
            tokio(0, 2, 0, 2),
            "| 000B | 'Hello world' |",
            "       | 'Hello world' |"),
        Example.of(
            "tokio-util 2: the header is kept",
            tokio(0, 2, 2, 0),
            "| 000B | 'Hello world' |",
            "| 000B | 'Hello world' |"),
        Example.of(
            "tokio-util 3: the length counts itself",
            tokio(0, 2, -2, 2),
            "| 000D | 'Hello world' |",
            "       | 'Hello world' |"),
        Example.of(
            "tokio-util 4: more header behind the length, all kept",
            tokio(0, 3, 5, 0),
            "| 00000B | CAFE | 'Hello world' |",
            "| 00000B | CAFE | 'Hello world' |"),
        Example.of(
            "tokio-util 5, with its first byte constant",
            tokio(1, 2, 1, 3).beforeLength((byte) 0xCA),
            "| CA | 000B | FE | 'Hello world' |",
            "            | FE | 'Hello world' |"),
        Example.of(
            "tokio-util 6, with its first byte constant",
            tokio(1, 2, -3, 3).beforeLength((byte) 0xCA),
            "| CA | 000F | FE | 'Hello world' |",
            "            | FE | 'Hello world' |"),
        Example.of(
            "tokio-util 7, with its last byte constant",
            tokio(0, 3, 0, 4).afterLength((byte) 0xFF),
            "| 00000B | FF | 'Hello world' |",
            "              | 'Hello world' |"),
        Example.of(
            "Netty 1: the header is kept",
            netty(0, 2, 0, 0),
            "| 000C | 'HELLO, WORLD' |",
            "| 000C | 'HELLO, WORLD' |"),
        Example.of(
            "Netty 2: the header is stripped",
            netty(0, 2, 0, 2),
            "| 000C | 'HELLO, WORLD' |",
            "       | 'HELLO, WORLD' |"),
        Example.of(
            "Netty 3: the length counts itself",
            netty(0, 2, -2, 0),
            "| 000E | 'HELLO, WORLD' |",
            "| 000E | 'HELLO, WORLD' |"),
        Example.of(
            "Netty 4: the length ends the header",
            netty(2, 3, 0, 0),
            "| CAFE | 00000C | 'HELLO, WORLD' |",
            "| CAFE | 00000C | 'HELLO, WORLD' |"),
        Example.of(
            "Netty 5: the length begins the header",
            netty(0, 3, 2, 0),
            "| 00000C | CAFE | 'HELLO, WORLD' |",
            "| 00000C | CAFE | 'HELLO, WORLD' |"),
        Example.of(
            "Netty 6, with its first byte constant",
            netty(1, 2, 1, 3).beforeLength((byte) 0xCA),
            "| CA | 000C | FE | 'HELLO, WORLD' |",
            "            | FE | 'HELLO, WORLD' |"),
        Example.of(
            "Netty 7, with its first byte constant",
            netty(1, 2, -3, 3).beforeLength((byte) 0xCA),
            "| CA | 0010 | FE | 'HELLO, WORLD' |",
            "            | FE | 'HELLO, WORLD' |"));
  }

  /** The settings as they are documented strip bytes that nothing says how to write. */
  private static Stream<Example> decodable() {
    return Stream.of(
        Example.of(
            "tokio-util 5: the length amid the header, stripped up to it",
            tokio(1, 2, 1, 3),
            "| CA | 000B | FE | 'Hello world' |",
            "            | FE | 'Hello world' |"),
        Example.of(
            "tokio-util 6: the length counts the whole frame",
            tokio(1, 2, -3, 3),
            "| CA | 000F | FE | 'Hello world' |",
            "            | FE | 'Hello world' |"),
        Example.of(
            "tokio-util 7: an unused byte behind the length",
            tokio(0, 3, 0, 4),
            "| 00000B | FF | 'Hello world' |",
            "              | 'Hello world' |"),
        Example.of(
            "Netty 6: the length amid the header, stripped up to it",
            netty(1, 2, 1, 3),
            "| CA | 000C | FE | 'HELLO, WORLD' |",
            "            | FE | 'HELLO, WORLD' |"),
        Example.of(
            "Netty 7: the length counts the whole frame",
            netty(1, 2, -3, 3),
            "| CA | 0010 | FE | 'HELLO, WORLD' |",
            "            | FE | 'HELLO, WORLD' |"));
  }

  /** Takes tokio-util's numbers, of which {@code adjustment} counts from the skipped bytes. */
  private static FrameFormat.Builder tokio(int offset, int length, int adjustment, int skip) {
    return netty(offset, length, adjustment + skip - offset - length, skip);
  }

  private static FrameFormat.Builder netty(int offset, int length, int adjustment, int strip) {
    return FrameFormat.builder()
        .lengthFieldOffset(offset)
        .lengthFieldLength(length)
        .lengthAdjustment(adjustment)
        .initialBytesToStrip(strip);
  }

  private static Stream<Example> all() {
    return Stream.concat(encodable(), decodable());
  }

  private static Stream<Example> keptHeaders() {
    return encodable().filter(example -> example.format().initialBytesToStrip() == 0);
  }

  @ParameterizedTest
  @MethodSource("all")
  void isDecoded(Example example) {
    for (Decoding way : Decoding.values()) {
      Delivery.of(example.wire())
          .forEach(delivery -> assertThat(way.decode(example.format(), delivery.pieces()))
              .as("%s, %s", way, delivery)
              .isEqualTo(delivery.each(Wire.hex(example.frame()))));
    }
  }

  @ParameterizedTest
  @MethodSource("encodable")
  void isEncoded(Example example) throws IOException {
    for (Encoding way : Encoding.values()) {
      byte[] wire = way.encode(example.format(), example.frame(), example.frame());

      assertThat(Wire.hex(wire))
          .as(way.name())
          .isEqualTo(Wire.hex(Wire.join(example.wire(), example.wire())));
    }
  }

  @ParameterizedTest
  @MethodSource("keptHeaders")
  void encoderFillsInTheLengthOfAKeptHeader(Example example) throws IOException {
    byte[] frame = example.frame().clone();
    int offset = example.format().lengthFieldOffset();
    Arrays.fill(frame, offset, offset + example.format().lengthFieldLength(), (byte) 0x55);

    for (Encoding way : Encoding.values()) {
      assertThat(Wire.hex(way.encode(example.format(), frame)))
          .as(way.name())
          .isEqualTo(Wire.hex(example.wire()));
      assertThat(frame[offset]).as("the frame is not changed").isEqualTo((byte) 0x55);
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("decodable")
  void isNotEncodedWhereStrippedBytesAreUnknown(Example example) {
    FrameFormat format = example.format();
    boolean after = format.lengthFieldOffset() == 0;
    String reason = after
        ? "frame bytes 3 to 3 are stripped by initialBytesToStrip, and no afterLength constant"
            + " defines them"
        : "frame bytes 0 to 0 are stripped by initialBytesToStrip, and no beforeLength constant"
            + " defines them";

    assertThat(format.whyNotEncodable()).hasValue(reason);
    for (Encoding way : Encoding.values()) {
      assertThatIllegalStateException()
          .as(way.name())
          .isThrownBy(() -> way.encode(format, List.of(example.frame())))
          .withMessage("format cannot encode: " + reason + " (" + format + ")");
    }
  }
}
