package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FrameReaderTest {
  private static final FrameFormat TWO =
      FrameFormat.builder().lengthFieldLength(2).maxFrameLength(8).build();

  private static FrameReader reader(FrameFormat format, String wire) {
    return FrameReader.of(new ByteArrayInputStream(Wire.bytes(wire)), format);
  }

  private static void assertNext(FrameReader reader, String frame) throws IOException {
    assertThat(reader.read()).asHexString().isEqualTo(Wire.hex(frame));
  }

  @Test
  void cleanEndIsNullAndStaysNull() throws IOException {
    FrameReader reader = reader(TWO, "| 0001 | 'a' | 0000 |");

    assertNext(reader, "'a'");
    assertNext(reader, "");
    assertThat(reader.read()).isNull();
    assertThat(reader.read()).isNull();
  }

  @Test
  void emptyStreamEndsCleanly() throws IOException {
    assertThat(reader(TWO, "").read()).isNull();
  }

  @ParameterizedTest
  @CsvSource({
    "'31', 1 header bytes, 1, -1",
    "'313A', 0 of 1 payload bytes, 0, 1",
    "'333A6162', 2 of 3 payload bytes, 2, 3",
    "'313A61', 0 of 1 trailer bytes, 0, 1"
  })
  void endInsideAFrameIsAnErrorThatStays(String wire, String part, long received, long expected)
      throws IOException {
    FrameReader reader = reader(FrameFormat.netstring(), "'5:hello,'" + wire);
    assertNext(reader, "'hello'");

    assertThatExceptionOfType(TruncatedFrameException.class)
        .isThrownBy(reader::read)
        .withMessage("stream ended inside a frame: " + part + " (frame 2)")
        .satisfies(cut -> {
          assertThat(cut.received()).isEqualTo(received);
          assertThat(cut.expected()).isEqualTo(expected);
          assertThat(cut.frameNumber()).isEqualTo(2);
          assertThat(cut.peer()).isNull();
          assertThatThrownBy(reader::read).isSameAs(cut);
        });
  }

  @Test
  void endInsideAHeaderOfFixedWidthSaysHowLongThatIs() {
    assertThatExceptionOfType(TruncatedFrameException.class)
        .isThrownBy(reader(TWO, "00")::read)
        .withMessage("stream ended inside a frame: 1 of 2 header bytes (frame 1)");
  }

  @Test
  void frameBehindOneThatIsTooLargeIsRead() throws IOException {
    FrameReader reader = reader(TWO, "| 0001 | 'a' | 0009 | '123456789' | 0002 | 'bc' |");
    assertNext(reader, "'a'");

    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(reader::read)
        .withMessage("frame length 9 exceeds maxFrameLength 8 (frame 2)");

    assertNext(reader, "'bc'");
    assertThat(reader.read()).isNull();
  }

  @Test
  void skippedFrameMayBeLongerThanWhatIsReadAhead() throws IOException {
    byte[] wire =
        Wire.join(Wire.bytes("| 0000C350 |"), new byte[50_000], Wire.bytes("| 00000002 | 'bc' |"));
    FrameFormat format = FrameFormat.builder().maxFrameLength(8).build();
    FrameReader reader = FrameReader.of(new ByteArrayInputStream(wire), format);

    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(reader::read)
        .withMessage("frame length 50000 exceeds maxFrameLength 8 (frame 1)");
    assertNext(reader, "'bc'");
  }

  @Test
  void corruptStreamStaysCorrupt() throws IOException {
    FrameReader reader = reader(FrameFormat.netstring(), "'1:a,x1:b,'");
    assertNext(reader, "'a'");

    assertThatExceptionOfType(CorruptFrameException.class)
        .isThrownBy(reader::read)
        .withMessage("decimal length contains byte 0x78 (expected: digits, then ':') (frame 2)")
        .satisfies(corrupt -> assertThatThrownBy(reader::read).isSameAs(corrupt));
  }

  @Test
  void failedStreamStaysFailed() {
    IOException failure = new IOException("reset");
    FrameReader reader = FrameReader.of(
        new InputStream() {
          private boolean failed;

          @Override
          public int read() {
            throw new AssertionError("a single byte");
          }

          @Override
          public int read(byte[] to, int offset, int length) throws IOException {
            if (failed) {
              throw new AssertionError("read again");
            }
            failed = true;
            throw failure;
          }
        },
        TWO);

    assertThatThrownBy(reader::read).isSameAs(failure);
    assertThatThrownBy(reader::read).isSameAs(failure);
  }

  /** Delivers some bytes, and remembers the largest array that it was asked to fill. */
  private static final class Measuring extends InputStream {
    private final ByteArrayInputStream bytes;
    private int largest;

    Measuring(byte[] bytes) {
      this.bytes = new ByteArrayInputStream(bytes);
    }

    @Override
    public int read() {
      return bytes.read();
    }

    @Override
    public int read(byte[] to, int offset, int length) {
      largest = Math.max(largest, to.length);
      return bytes.read(to, offset, length);
    }
  }

  @ParameterizedTest
  @CsvSource({"10, 65536", "65536, 65536", "65537, 131072", "1000000, 1048576"})
  void memoryGrowsWithWhatCameNotWithWhatIsAnnounced(int came, int most) {
    FrameFormat format = FrameFormat.builder().maxFrameLength(1 << 30).build();
    Measuring source = new Measuring(Wire.join(Wire.bytes("40000000"), new byte[came]));

    assertThatExceptionOfType(TruncatedFrameException.class)
        .isThrownBy(FrameReader.of(source, format)::read)
        .withMessage(
            "stream ended inside a frame: " + came + " of 1073741824 payload bytes (frame 1)");
    // An array that is full is doubled before the end of the stream is seen.
    assertThat(source.largest).isBetween(10, came == most ? 2 * most : most);
  }

  @Test
  void longFrameIsWhole() throws IOException {
    byte[] frame = new byte[300_000];
    new Random(5).nextBytes(frame);
    byte[] wire = Wire.join(Wire.bytes("000493E0"), frame, Wire.bytes("| 00000001 | 'a' |"));
    FrameReader reader = FrameReader.of(new ByteArrayInputStream(wire), FrameFormat.defaults());

    assertThat(reader.read()).as("seed 5").isEqualTo(frame);
    assertNext(reader, "'a'");
  }

  @Test
  void channelThatDoesNotBlockIsRefusedAndStaysRefused() throws IOException {
    Pipe pipe = Pipe.open();
    try (ReadableByteChannel source = pipe.source();
        FrameWriter writer = FrameWriter.of(pipe.sink(), FrameFormat.defaults())) {
      pipe.source().configureBlocking(false);
      pipe.sink().write(ByteBuffer.wrap(Wire.bytes("| 00000003 | 'ab'")));
      FrameReader reader = FrameReader.of(source, FrameFormat.defaults());

      assertThatExceptionOfType(IllegalBlockingModeException.class).isThrownBy(reader::read);

      // It once went on in the middle of the frame.
      writer.write(Wire.bytes("'c'"));
      writer.flush();
      assertThatExceptionOfType(IOException.class)
          .isThrownBy(reader::read)
          .withMessage("channel is not in blocking mode");
    }
  }

  @Test
  void readsAFile(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("frames");
    Files.write(file, Wire.bytes("| 0001 | 'a' | 0002 | 'bc' |"));

    try (FrameReader reader = FrameReader.of(FileChannel.open(file), TWO)) {
      assertNext(reader, "'a'");
      assertNext(reader, "'bc'");
      assertThat(reader.read()).isNull();
    }
  }

  @Test
  void readsAPipe() throws IOException {
    Pipe pipe = Pipe.open();
    try (FrameReader reader = FrameReader.of(pipe.source(), TWO)) {
      try (FrameWriter writer = FrameWriter.of(pipe.sink(), TWO)) {
        writer.write(Wire.bytes("'a'"));
        writer.write(Wire.bytes("'bc'"));
      }
      assertNext(reader, "'a'");
      assertNext(reader, "'bc'");
      assertThat(reader.read()).isNull();
    }
    assertThat(pipe.source().isOpen()).isFalse();
  }

  @Test
  void bufferedIsWhatBelongsToNoFrameYet() throws IOException {
    FrameReader reader = reader(TWO, "| 0001 | 'a' | 0002 | 'b'");
    assertThat(reader.buffered()).isEmpty();

    assertNext(reader, "'a'");

    assertThat(Wire.hex(reader.buffered())).isEqualTo(Wire.hex("| 0002 | 'b'"));
    reader.buffered()[0] = 9;
    assertThat(Wire.hex(reader.buffered())).as("a copy").isEqualTo(Wire.hex("| 0002 | 'b'"));
  }

  @Test
  void framesAreOnesOwn() throws IOException {
    FrameReader reader = reader(TWO, "| 0001 | 'a' | 0001 | 'b' |");

    byte[] first = reader.read();
    byte[] second = reader.read();

    assertThat(List.of(first, second)).containsExactly(Wire.bytes("'a'"), Wire.bytes("'b'"));
  }

  @Test
  @SuppressWarnings("NullAway")
  void nullsAreNamed() {
    InputStream in = InputStream.nullInputStream();
    assertThatNullPointerException()
        .isThrownBy(() -> FrameReader.of((InputStream) null, TWO))
        .withMessage("in");
    assertThatNullPointerException()
        .isThrownBy(() -> FrameReader.of((ReadableByteChannel) null, TWO))
        .withMessage("in");
    assertThatNullPointerException()
        .isThrownBy(() -> FrameReader.of(in, null))
        .withMessage("format");
  }
}
