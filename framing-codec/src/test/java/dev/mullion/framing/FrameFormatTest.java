package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.ByteArrayOutputStream;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class FrameFormatTest {
  @Test
  void defaultsAreFourBytesOfBigEndianLengthAnd8MiB() {
    FrameFormat format = FrameFormat.defaults();

    assertThat(format.lengthFieldOffset()).isZero();
    assertThat(format.lengthFieldLength()).isEqualTo(4);
    assertThat(format.byteOrder()).isEqualTo(ByteOrder.BIG_ENDIAN);
    assertThat(format.lengthEncoding()).hasToString("BinaryLength[width=4, order=BIG_ENDIAN]");
    assertThat(format.lengthAdjustment()).isZero();
    assertThat(format.initialBytesToStrip()).isEqualTo(4);
    assertThat(format.maxFrameLength()).isEqualTo(8 * 1024 * 1024);
    assertThat(format.beforeLength()).isEmpty();
    assertThat(format.afterLength()).isEmpty();
    assertThat(format.trailer()).isEmpty();
    assertThat(format.whyNotEncodable()).isEmpty();
    assertThat(format).isEqualTo(FrameFormat.builder().build());
  }

  @Test
  void offsetAndStripFollowTheConstants() {
    FrameFormat format = FrameFormat.builder()
        .beforeLength((byte) 1, (byte) 2)
        .lengthFieldLength(3)
        .afterLength((byte) 4)
        .trailer((byte) 5)
        .build();

    assertThat(format.lengthFieldOffset()).isEqualTo(2);
    assertThat(format.initialBytesToStrip()).isEqualTo(6);
  }

  @Test
  void headerOfVariableWidthHasNoNumberOfBytesToStrip() {
    FrameFormat format = FrameFormat.protobufDelimited();

    assertThat(format.lengthFieldLength()).isZero();
    assertThat(format.initialBytesToStrip()).isEqualTo(-1);
    assertThat(format.byteOrder()).isEqualTo(ByteOrder.BIG_ENDIAN);
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0, 255",
    "1, 1, 256",
    "1, -1, 254",
    "2, 0, 65535",
    "2, -2, 65533",
    "3, 0, 8388608",
    "4, 0, 8388608",
    "8, 0, 8388608"
  })
  void defaultLimitIsWhatTheFieldCanSay(int width, int adjustment, int limit) {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldLength(width)
        .lengthAdjustment(adjustment)
        .build();

    assertThat(format.maxFrameLength()).isEqualTo(limit);
  }

  @Test
  void defaultLimitLeavesRoomForTheTrailer() {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldLength(1)
        .afterLength((byte) 1)
        .trailer((byte) 2, (byte) 3)
        .build();

    assertThat(format.maxFrameLength()).isEqualTo(252);
  }

  @Test
  void toBuilderKeepsUnsetSettingsUnset() {
    FrameFormat narrow = FrameFormat.builder().lengthFieldLength(1).build();

    FrameFormat wide = narrow.toBuilder().lengthFieldLength(2).build();

    assertThat(wide.maxFrameLength()).isEqualTo(65535);
    assertThat(wide.initialBytesToStrip()).isEqualTo(2);
    assertThat(wide.toBuilder().beforeLength((byte) 7).build().lengthFieldOffset())
        .isEqualTo(1);
    assertThat(FrameFormat.defaults().toBuilder()
            .lengthEncoding(LengthEncoding.varint32())
            .build())
        .isEqualTo(FrameFormat.protobufDelimited());
  }

  @Test
  void toBuilderKeepsEverySetting() {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldOffset(3)
        .lengthFieldLength(2)
        .byteOrder(ByteOrder.LITTLE_ENDIAN)
        .lengthAdjustment(-1)
        .initialBytesToStrip(1)
        .maxFrameLength(99)
        .beforeLength((byte) 1)
        .afterLength((byte) 2)
        .trailer((byte) 3)
        .build();

    assertThat(format.toBuilder().build()).isEqualTo(format).hasSameHashCodeAs(format);
    assertThat(FrameFormat.netstring().toBuilder().build()).isEqualTo(FrameFormat.netstring());
  }

  @Test
  void builderDoesNotChangeTheFormatsThatItBuilt() {
    FrameFormat.Builder builder = FrameFormat.builder();
    FrameFormat first = builder.build();

    builder.maxFrameLength(5).trailer((byte) 1);
    first.toBuilder().maxFrameLength(6).trailer((byte) 2);

    assertThat(first).isEqualTo(FrameFormat.defaults());
  }

  private static Stream<Arguments> constants() {
    return Stream.of(
        constant("beforeLength", FrameFormat.Builder::beforeLength, FrameFormat::beforeLength),
        constant("afterLength", FrameFormat.Builder::afterLength, FrameFormat::afterLength),
        constant("trailer", FrameFormat.Builder::trailer, FrameFormat::trailer));
  }

  private interface Setter {
    FrameFormat.Builder set(FrameFormat.Builder builder, byte[] constant);
  }

  private static Arguments constant(
      String name, Setter setter, Function<FrameFormat, byte[]> getter) {
    return Arguments.of(name, setter, getter);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("constants")
  void constantsAreCopied(String name, Setter setter, Function<FrameFormat, byte[]> getter) {
    byte[] constant = {1, 2};
    FrameFormat format = setter.set(FrameFormat.builder(), constant).build();

    constant[0] = 9;
    getter.apply(format)[1] = 9;

    assertThat(getter.apply(format)).containsExactly(1, 2);
  }

  @Test
  void equalsComparesWhatIsInForce() {
    List<FrameFormat> different = List.of(
        FrameFormat.defaults(),
        FrameFormat.builder().lengthFieldOffset(1).build(),
        FrameFormat.builder().lengthFieldOffset(1).beforeLength((byte) 1).build(),
        FrameFormat.builder().lengthFieldOffset(1).beforeLength((byte) 2).build(),
        FrameFormat.builder().lengthFieldLength(3).build(),
        FrameFormat.builder().byteOrder(ByteOrder.LITTLE_ENDIAN).build(),
        FrameFormat.builder().lengthAdjustment(-4).build(),
        FrameFormat.builder().initialBytesToStrip(0).build(),
        FrameFormat.builder().maxFrameLength(1).build(),
        FrameFormat.builder().afterLength((byte) 1).build(),
        FrameFormat.builder().afterLength((byte) 2).build(),
        FrameFormat.builder().trailer((byte) 1).build(),
        FrameFormat.builder().trailer((byte) 2).build(),
        FrameFormat.builder().lengthEncoding(LengthEncoding.varint32()).build(),
        FrameFormat.builder().lengthEncoding(LengthEncoding.asciiHex(4)).build(),
        FrameFormat.builder()
            .lengthEncoding(LengthEncoding.asciiHexUpperCase(4))
            .build(),
        FrameFormat.octetCountedSyslog(),
        FrameFormat.netstring());

    // Not with a set, which compares only those whose hash codes are the same.
    for (FrameFormat one : different) {
      assertThat(different.stream().filter(one::equals)).hasSize(1);
    }
    assertThat(FrameFormat.defaults()).isNotEqualTo(null).isNotEqualTo("a text");
    FrameFormat spelledOut = FrameFormat.builder()
        .lengthFieldOffset(0)
        .lengthFieldLength(4)
        .initialBytesToStrip(4)
        .maxFrameLength(FrameFormat.DEFAULT_MAX_FRAME_LENGTH)
        .build();
    assertThat(spelledOut)
        .isEqualTo(FrameFormat.defaults())
        .hasSameHashCodeAs(FrameFormat.defaults());
  }

  @Test
  void toStringNamesTheSettings() {
    assertThat(FrameFormat.defaults())
        .hasToString("FrameFormat[lengthFieldOffset=0, lengthFieldLength=4, byteOrder=BIG_ENDIAN,"
            + " lengthAdjustment=0, initialBytesToStrip=4, maxFrameLength=8388608]");
    assertThat(FrameFormat.tpkt())
        .hasToString("FrameFormat[lengthFieldOffset=2, lengthFieldLength=2, byteOrder=BIG_ENDIAN,"
            + " lengthAdjustment=-4, initialBytesToStrip=4, maxFrameLength=65531,"
            + " beforeLength=0x0300]");
    assertThat(FrameFormat.netstring())
        .hasToString("FrameFormat[lengthFieldOffset=0, lengthEncoding=asciiDecimal(':'),"
            + " lengthAdjustment=1, initialBytesToStrip=header, maxFrameLength=8388608,"
            + " trailer=0x2C]");
    assertThat(FrameFormat.octetCountedSyslog())
        .hasToString("FrameFormat[lengthFieldOffset=0, lengthEncoding=asciiDecimal(0x20, >= 1),"
            + " lengthAdjustment=0, initialBytesToStrip=header, maxFrameLength=8388608]");
    assertThat(FrameFormat.builder()
            .lengthFieldLength(2)
            .byteOrder(ByteOrder.LITTLE_ENDIAN)
            .afterLength((byte) 0xAB)
            .build())
        .hasToString("FrameFormat[lengthFieldOffset=0, lengthFieldLength=2,"
            + " byteOrder=LITTLE_ENDIAN, lengthAdjustment=0, initialBytesToStrip=3,"
            + " maxFrameLength=65534, afterLength=0xAB]");
  }

  @Test
  void toStringShowsAtMost32BytesOfAConstant() {
    FrameFormat format = FrameFormat.builder().beforeLength(new byte[33]).build();

    assertThat(format).asString().endsWith(", beforeLength=0x" + "00".repeat(32) + "...]");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', textBlock = """
      1 | 0 | 1 | 0 to 0, beforeLength
      3 | 0 | 2 | 0 to 1, beforeLength
      3 | 2 | 5 | 2 to 2, beforeLength
      0 | 0 | 5 | 2 to 4, afterLength
      2 | 2 | 6 | 4 to 5, afterLength
      """)
  void formatThatStripsUnknownBytesSaysWhyItCannotEncode(
      int offset, int constants, int strip, String bytesAndSetting) {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldOffset(offset)
        .beforeLength(new byte[constants])
        .lengthFieldLength(2)
        .lengthAdjustment(10)
        .initialBytesToStrip(strip)
        .build();

    List<String> expected = List.of(bytesAndSetting.split(", ", -1));
    String reason = "frame bytes " + expected.get(0) + " are stripped by"
        + " initialBytesToStrip, and no " + expected.get(1) + " constant defines them";
    assertThat(format.whyNotEncodable()).hasValue(reason);
    String message = "format cannot encode: " + reason + " (" + format + ")";
    assertThatIllegalStateException()
        .isThrownBy(() -> FrameWriter.of(new ByteArrayOutputStream(), format))
        .withMessage(message);
    assertThatIllegalStateException()
        .isThrownBy(() -> FrameWriter.of(Channels.newChannel(new ByteArrayOutputStream()), format))
        .withMessage(message);
  }

  @Test
  void formatOfVariableWidthThatStripsUnknownBytesCannotEncode() {
    FrameFormat.Builder settings =
        FrameFormat.protobufDelimited().toBuilder().lengthFieldOffset(2).beforeLength((byte) 1);

    assertThat(settings.build().whyNotEncodable())
        .hasValue("frame bytes 1 to 1 are stripped by initialBytesToStrip, and no"
            + " beforeLength constant defines them");
    assertThat(settings.initialBytesToStrip(1).build().whyNotEncodable()).isEmpty();
  }
}
