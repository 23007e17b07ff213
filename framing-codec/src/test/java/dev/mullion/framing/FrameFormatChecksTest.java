package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the builder refuses, and the texts that say so. */
class FrameFormatChecksTest {
  private final FrameFormat.Builder builder = FrameFormat.builder();

  private void refusedByBuild(String message) {
    assertThatIllegalStateException().isThrownBy(builder::build).withMessage(message);
  }

  @Test
  void settersRefuseNumbersOutOfRange() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.lengthFieldOffset(-1))
        .withMessage("lengthFieldOffset: -1 (expected: >= 0)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.lengthFieldLength(0))
        .withMessage("lengthFieldLength: 0 (expected: 1 to 8)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.lengthFieldLength(9))
        .withMessage("lengthFieldLength: 9 (expected: 1 to 8)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.initialBytesToStrip(-1))
        .withMessage("initialBytesToStrip: -1 (expected: >= 0)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.maxFrameLength(0))
        .withMessage("maxFrameLength: 0 (expected: > 0)");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> builder.maxFrameLength(-1))
        .withMessage("maxFrameLength: -1 (expected: > 0)");
    assertThat(builder.build()).as("refused values are not kept").isEqualTo(FrameFormat.defaults());
  }

  @Test
  void settersAcceptTheBounds() {
    FrameFormat least = builder
        .lengthFieldOffset(0)
        .lengthFieldLength(1)
        .initialBytesToStrip(0)
        .maxFrameLength(1)
        .build();

    assertThat(least.maxFrameLength()).isEqualTo(1);
    assertThat(builder.lengthFieldLength(8).build().lengthFieldLength()).isEqualTo(8);
  }

  @Test
  @SuppressWarnings("NullAway")
  void settersNameTheNull() {
    assertThatNullPointerException()
        .isThrownBy(() -> builder.byteOrder(null))
        .withMessage("byteOrder");
    assertThatNullPointerException()
        .isThrownBy(() -> builder.lengthEncoding(null))
        .withMessage("lengthEncoding");
    assertThatNullPointerException()
        .isThrownBy(() -> builder.beforeLength((byte[]) null))
        .withMessage("constant");
    assertThatNullPointerException()
        .isThrownBy(() -> builder.afterLength((byte[]) null))
        .withMessage("constant");
    assertThatNullPointerException()
        .isThrownBy(() -> builder.trailer((byte[]) null))
        .withMessage("constant");
  }

  @ParameterizedTest
  @CsvSource({"1, 255", "2, 65535", "3, 16777215"})
  void limitMustFitTheField(int width, int most) {
    builder.lengthFieldLength(width);

    assertThat(builder.maxFrameLength(most).build().maxFrameLength()).isEqualTo(most);
    builder.maxFrameLength(most + 1);
    refusedByBuild("maxFrameLength: %d does not fit lengthFieldLength: %d (expected: <= %d)"
        .formatted(most + 1, width, most));
  }

  @ParameterizedTest
  @CsvSource({"1, -1, 254", "1, 1, 256", "2, -4, 65531", "2, 100, 65635", "3, -5, 16777210"})
  void limitMustFitTheFieldWithTheAdjustment(int width, int adjustment, int most) {
    builder.lengthFieldLength(width).lengthAdjustment(adjustment);

    assertThat(builder.maxFrameLength(most).build().maxFrameLength()).isEqualTo(most);
    builder.maxFrameLength(most + 1);
    refusedByBuild("maxFrameLength: %d does not fit lengthFieldLength: %d with lengthAdjustment: %d"
            .formatted(most + 1, width, adjustment)
        + " (expected: <= " + most + ")");
  }

  @Test
  void limitMustFitTheEncoding() {
    builder.lengthEncoding(LengthEncoding.asciiHex(2));

    assertThat(builder.maxFrameLength(255).build().maxFrameLength()).isEqualTo(255);
    builder.maxFrameLength(256);
    refusedByBuild(
        "maxFrameLength: 256 does not fit lengthEncoding: asciiHex(2) (expected: <= 255)");
  }

  @ParameterizedTest
  @CsvSource({"4, 0", "8, 0", "8, 1", "8, -1", "5, 2147483647"})
  void limitMustFitAFrameInMemory(int width, int adjustment) {
    int most = Integer.MAX_VALUE - 8 - width;
    builder.lengthFieldLength(width).lengthAdjustment(adjustment).maxFrameLength(most + 1);

    refusedByBuild("maxFrameLength: %d does not fit in a Java array (expected: <= %d)"
        .formatted(most + 1, most));
  }

  @Test
  void longestFrameInMemoryIsAccepted() {
    int most = Integer.MAX_VALUE - 8 - 4;

    assertThat(builder.maxFrameLength(most).build().maxFrameLength()).isEqualTo(most);
  }

  @Test
  void adjustmentMustLeaveALength() {
    builder.lengthFieldLength(1).lengthAdjustment(-255);
    refusedByBuild("lengthAdjustment: -255 leaves no room for a payload in lengthFieldLength: 1"
        + " with lengthAdjustment: -255 (expected: >= -254)");

    assertThat(builder.lengthAdjustment(-254).build().maxFrameLength()).isEqualTo(1);
  }

  @Test
  void adjustmentMustLeaveALengthBesideConstants() {
    builder.lengthFieldLength(1).afterLength((byte) 1).trailer((byte) 2).lengthAdjustment(-253);
    refusedByBuild("lengthAdjustment: -253 leaves no room for a payload in lengthFieldLength: 1"
        + " with lengthAdjustment: -253 (expected: >= -252)");

    assertThat(builder.lengthAdjustment(-252).build().maxFrameLength()).isEqualTo(1);
  }

  @Test
  void constantsMustLeaveALength() {
    builder.lengthFieldLength(1).trailer(new byte[255]);

    refusedByBuild("lengthAdjustment: 0 leaves no room for a payload in lengthFieldLength: 1"
        + " (expected: >= 1)");
  }

  @Test
  void adjustmentMustNotExceedTheLimit() {
    builder.lengthAdjustment(11).maxFrameLength(10);
    refusedByBuild("lengthAdjustment: 11 makes the smallest payload 11 bytes, which exceeds"
        + " maxFrameLength: 10");

    assertThat(builder.lengthAdjustment(10).build().lengthAdjustment()).isEqualTo(10);
    assertThat(builder.lengthAdjustment(9).build().lengthAdjustment()).isEqualTo(9);
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, Integer.MAX_VALUE})
  void hugeAdjustmentDoesNotOverflow(int adjustment) {
    builder.lengthAdjustment(adjustment);

    if (adjustment < 0) {
      assertThat(builder.build().maxFrameLength()).isEqualTo(8 * 1024 * 1024);
    } else {
      refusedByBuild("lengthAdjustment: 2147483647 makes the smallest payload 2147483647 bytes,"
          + " which exceeds maxFrameLength: 8388608");
    }
  }

  @ParameterizedTest
  @CsvSource({"0, 0, 2", "3, 0, 5", "0, 4, 6", "1, 1, 4", "1, -1, 3"})
  void stripMustNotExceedTheSmallestFrame(int offset, int adjustment, int most) {
    builder.lengthFieldOffset(offset).lengthFieldLength(2).lengthAdjustment(adjustment);

    assertThat(builder.initialBytesToStrip(most).build().initialBytesToStrip()).isEqualTo(most);
    builder.initialBytesToStrip(most + 1);
    refusedByBuild("initialBytesToStrip: %d is longer than the smallest frame (expected: <= %d,"
            .formatted(most + 1, most)
        + " from lengthFieldOffset: %d, lengthFieldLength: 2, lengthAdjustment: %d)"
            .formatted(offset, adjustment));
  }

  @Test
  void constantsBehindTheLengthMayBeStripped() {
    builder.lengthFieldLength(2).afterLength((byte) 1, (byte) 2);

    assertThat(builder.initialBytesToStrip(4).build().initialBytesToStrip()).isEqualTo(4);
    builder.initialBytesToStrip(5);
    refusedByBuild("initialBytesToStrip: 5 is longer than the smallest frame (expected: <= 4,"
        + " from lengthFieldOffset: 0, lengthFieldLength: 2, lengthAdjustment: 0)");
  }

  @Test
  void trailerIsNotAmongTheBytesToStrip() {
    builder.lengthFieldLength(2).trailer((byte) 1, (byte) 2);

    assertThat(builder.initialBytesToStrip(2).build().initialBytesToStrip()).isEqualTo(2);
    builder.initialBytesToStrip(3);
    refusedByBuild("initialBytesToStrip: 3 is longer than the smallest frame (expected: <= 2,"
        + " from lengthFieldOffset: 0, lengthFieldLength: 2, lengthAdjustment: 0)");

    assertThat(builder.lengthAdjustment(5).build().initialBytesToStrip()).isEqualTo(3);
  }

  @Test
  void stripMustLeaveRoomForAPayloadInMemory() {
    builder.lengthAdjustment(Integer.MAX_VALUE).initialBytesToStrip(Integer.MAX_VALUE - 8);

    refusedByBuild("initialBytesToStrip: 2147483639 makes a header and trailer of 2147483639 bytes"
        + " (expected: < 2147483639)");
  }

  @Test
  void offsetMustLeaveRoomForAPayloadInMemory() {
    builder.lengthFieldOffset(Integer.MAX_VALUE - 8 - 4);

    refusedByBuild("lengthFieldOffset: 2147483635 makes a header and trailer of 2147483639 bytes"
        + " (expected: < 2147483639)");
  }

  @Test
  void constantMustFitTheOffset() {
    builder.beforeLength((byte) 1, (byte) 2, (byte) 3).lengthFieldOffset(2);
    refusedByBuild("beforeLength: 3 bytes do not fit lengthFieldOffset: 2 (expected: <= 2)");

    assertThat(builder.lengthFieldOffset(3).build().lengthFieldOffset()).isEqualTo(3);
    assertThat(builder.lengthFieldOffset(4).build().lengthFieldOffset()).isEqualTo(4);
  }

  @Test
  void encodingExcludesAWidth() {
    builder.lengthFieldLength(4).lengthEncoding(LengthEncoding.varint32());

    refusedByBuild("lengthFieldLength: 4 contradicts lengthEncoding: varint32"
        + " (expected: one of the two)");
  }

  @Test
  void encodingExcludesLittleEndian() {
    builder.byteOrder(ByteOrder.LITTLE_ENDIAN).lengthEncoding(LengthEncoding.asciiHex(4));
    refusedByBuild("byteOrder: LITTLE_ENDIAN has no meaning for lengthEncoding: asciiHex(4)");

    assertThat(builder.byteOrder(ByteOrder.BIG_ENDIAN).build().byteOrder())
        .isEqualTo(ByteOrder.BIG_ENDIAN);
  }

  @Test
  void stripMustNotReachIntoALengthOfVariableWidth() {
    builder.lengthEncoding(LengthEncoding.asciiDecimal(':')).lengthFieldOffset(2);

    assertThat(builder.initialBytesToStrip(1).build().initialBytesToStrip()).isEqualTo(1);
    assertThat(builder.initialBytesToStrip(2).build().initialBytesToStrip()).isEqualTo(2);
    builder.initialBytesToStrip(3);
    refusedByBuild("initialBytesToStrip: 3 reaches into a length of variable width,"
        + " asciiDecimal(':') (expected: <= lengthFieldOffset: 2, or unset to strip the header)");
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "2, 1", "1, 65", "-1, 3"})
  void encodingMustHaveUsableWidths(int min, int max) {
    builder.lengthEncoding(new Widths(min, max, 9));

    refusedByBuild("lengthEncoding: Widths[minWidth=%d, maxWidth=%d, maxValue=9] has widths"
            .formatted(min, max)
        + " %d to %d (expected: within 1 to 64)".formatted(min, max));
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void encodingMustHaveUsableValues(long maxValue) {
    builder.lengthEncoding(new Widths(1, 1, maxValue));

    refusedByBuild("lengthEncoding: Widths[minWidth=1, maxWidth=1, maxValue=%d] has maxValue %d"
            .formatted(maxValue, maxValue)
        + " (expected: > 0)");
  }

  @Test
  void encodingMayUseTheWidestBounds() {
    builder.lengthEncoding(new Widths(1, 64, 1));

    assertThat(builder.build().maxFrameLength()).isEqualTo(1);
  }

  private record Widths(int minWidth, int maxWidth, long maxValue) implements LengthEncoding {
    @Override
    public long read(ByteBuffer in) {
      return in.get();
    }

    @Override
    public void write(long value, ByteBuffer out) {
      out.put((byte) value);
    }
  }
}
