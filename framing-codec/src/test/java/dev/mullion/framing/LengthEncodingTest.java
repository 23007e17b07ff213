package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LengthEncodingTest {
  /** Writes the value, reads it again, and reads every beginning of it. */
  private static void check(LengthEncoding encoding, long value, byte[] expected)
      throws CorruptFrameException {
    ByteBuffer out = ByteBuffer.allocate(encoding.maxWidth());
    encoding.write(value, out);
    byte[] written = Arrays.copyOf(out.array(), out.position());
    assertThat(Wire.hex(written)).isEqualTo(Wire.hex(expected));

    ByteBuffer in = ByteBuffer.wrap(Wire.join(written, Wire.bytes("FFFF")));
    assertThat(encoding.read(in)).isEqualTo(value);
    assertThat(in.position()).isEqualTo(written.length);
    for (int length = 0; length < written.length; length++) {
      assertThat(encoding.read(ByteBuffer.wrap(written, 0, length)))
          .as("the first %s bytes", length)
          .isEqualTo(LengthEncoding.INCOMPLETE);
    }
  }

  private static void corrupt(LengthEncoding encoding, String wire, String message) {
    corrupt(() -> encoding.read(ByteBuffer.wrap(Wire.bytes(wire))), message);
  }

  private static void corrupt(ThrowingCallable call, String message) {
    assertThatExceptionOfType(CorruptFrameException.class).isThrownBy(call).withMessage(message);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 00",
    "1, 01",
    "127, 7F",
    "128, 8001",
    "300, AC02",
    "16383, FF7F",
    "16384, 808001",
    "2097151, FFFF7F",
    "2097152, 80808001",
    "268435455, FFFFFF7F",
    "268435456, 8080808001",
    "4294967295, FFFFFFFF0F"
  })
  void varintHasSevenBitsAByte(long value, String wire) throws CorruptFrameException {
    check(LengthEncoding.varint32(), value, Wire.bytes(wire));
  }

  @Test
  void varintHasOneToFiveBytes() {
    LengthEncoding varint = LengthEncoding.varint32();

    assertThat(varint.minWidth()).isEqualTo(1);
    assertThat(varint.maxWidth()).isEqualTo(5);
    assertThat(varint.maxValue()).isEqualTo(0xFFFF_FFFFL);
    assertThat(varint).hasToString("varint32").isEqualTo(LengthEncoding.varint32());
  }

  @Test
  void varintThatIsLongerThanItNeedsIsCorrupt() {
    LengthEncoding varint = LengthEncoding.varint32();

    corrupt(varint, "8000", "varint length 0 is over-long: 2 bytes, the last is 0");
    corrupt(varint, "FF00", "varint length 127 is over-long: 2 bytes, the last is 0");
    corrupt(varint, "FFFFFFFF00", "varint length 268435455 is over-long: 5 bytes, the last is 0");
  }

  @Test
  void varintThatIsWiderThan32BitsIsCorrupt() {
    LengthEncoding varint = LengthEncoding.varint32();

    corrupt(
        varint, "8080808010", "varint length 4294967296 exceeds 32 bits (expected: <= 4294967295)");
    corrupt(
        varint,
        "FFFFFFFF7F",
        "varint length 34359738367 exceeds 32 bits (expected: <= 4294967295)");
    corrupt(varint, "8080808080", "varint length has more than 5 bytes");
    corrupt(varint, "808080808001", "varint length has more than 5 bytes");
  }

  @ParameterizedTest
  @CsvSource({"0, '0:'", "9, '9:'", "10, '10:'", "999999999999999999, '999999999999999999:'"})
  void decimalDigitsEndWithTheDelimiter(long value, String wire) throws CorruptFrameException {
    check(LengthEncoding.asciiDecimal(':'), value, Wire.bytes("'" + wire + "'"));
  }

  @Test
  void decimalHasAtMost18DigitsAndTheDelimiter() {
    LengthEncoding decimal = LengthEncoding.asciiDecimal(':');

    assertThat(decimal.minWidth()).isEqualTo(2);
    assertThat(decimal.maxWidth()).isEqualTo(19);
    assertThat(decimal.maxValue()).isEqualTo(999_999_999_999_999_999L);
    assertThat(decimal).hasToString("asciiDecimal(':')");
    corrupt(decimal, "'1234567890123456789'", "decimal length has more than 18 digits");
    corrupt(decimal, "'1234567890123456789:'", "decimal length has more than 18 digits");
  }

  @Test
  void decimalHasOneForm() {
    LengthEncoding decimal = LengthEncoding.asciiDecimal(':');

    corrupt(decimal, "'05:'", "decimal length has a leading zero");
    corrupt(decimal, "'00:'", "decimal length has a leading zero");
    corrupt(decimal, "':'", "decimal length contains byte 0x3A (expected: digits, then ':')");
    corrupt(decimal, "'5;'", "decimal length contains byte 0x3B (expected: digits, then ':')");
    corrupt(decimal, "'+5:'", "decimal length contains byte 0x2B (expected: digits, then ':')");
    corrupt(decimal, "'5' B9", "decimal length contains byte 0xB9 (expected: digits, then ':')");
  }

  @ParameterizedTest
  @CsvSource({"'0', '''0'''", "'9', '''9'''", "\u00e9, 0xe9", "\u0660, 0x660"})
  void delimiterIsAsciiAndNoDigit(char delimiter, String named) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LengthEncoding.asciiDecimal(delimiter))
        .withMessage("delimiter: " + named + " (expected: an ASCII character that is not a digit)");
  }

  @ParameterizedTest
  @ValueSource(chars = {'/', ':', ' ', '\n', 0, 0x7F})
  void delimiterMayBeAnyOtherAsciiCharacter(char delimiter) throws CorruptFrameException {
    byte[] wire = {'4', '2', (byte) delimiter};

    check(LengthEncoding.asciiDecimal(delimiter), 42, wire);
  }

  @Test
  void syslogMessageHasAtLeastOneByte() throws CorruptFrameException {
    LengthEncoding counted = FrameFormat.octetCountedSyslog().lengthEncoding();

    check(counted, 1, Wire.bytes("'1 '"));
    corrupt(counted, "'0 '", "decimal length 0 (expected: >= 1)");
    corrupt(() -> counted.write(0, ByteBuffer.allocate(19)), "decimal length 0 (expected: >= 1)");
  }

  @ParameterizedTest
  @CsvSource({
    "1, 0, '0'",
    "1, 15, 'f'",
    "2, 16, '10'",
    "4, 43981, 'abcd'",
    "8, 1, '00000001'",
    "8, 4294967295, 'ffffffff'"
  })
  void hexIsPaddedWithZeros(int digits, long value, String wire) throws CorruptFrameException {
    check(LengthEncoding.asciiHex(digits), value, Wire.bytes("'" + wire + "'"));
    check(
        LengthEncoding.asciiHexUpperCase(digits),
        value,
        Wire.bytes("'" + wire.toUpperCase(java.util.Locale.ROOT) + "'"));
  }

  @Test
  void hexHasOneCase() {
    LengthEncoding lower = LengthEncoding.asciiHex(2);
    LengthEncoding upper = LengthEncoding.asciiHexUpperCase(2);

    corrupt(lower, "'0F'", "hex length contains byte 0x46 (expected: 0-9 or a-f)");
    corrupt(upper, "'0f'", "hex length contains byte 0x66 (expected: 0-9 or A-F)");
    corrupt(lower, "'0g'", "hex length contains byte 0x67 (expected: 0-9 or a-f)");
    corrupt(upper, "'G'", "hex length contains byte 0x47 (expected: 0-9 or A-F)");
    corrupt(lower, "E9", "hex length contains byte 0xE9 (expected: 0-9 or a-f)");
    assertThat(lower).hasToString("asciiHex(2)");
    assertThat(upper).hasToString("asciiHexUpperCase(2)");
  }

  @ParameterizedTest
  @CsvSource({"1, 15", "4, 65535", "8, 4294967295"})
  void hexHoldsFourBitsADigit(int digits, long maxValue) {
    LengthEncoding hex = LengthEncoding.asciiHex(digits);

    assertThat(hex.minWidth()).isEqualTo(digits);
    assertThat(hex.maxWidth()).isEqualTo(digits);
    assertThat(hex.maxValue()).isEqualTo(maxValue);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 9})
  void hexHasOneToEightDigits(int digits) {
    String message = "digits: " + digits + " (expected: 1 to 8)";

    assertThatIllegalArgumentException()
        .isThrownBy(() -> LengthEncoding.asciiHex(digits))
        .withMessage(message);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> LengthEncoding.asciiHexUpperCase(digits))
        .withMessage(message);
  }
}
