package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.Pipe;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrameWriterTest {
  private static final FrameFormat TWO =
      FrameFormat.builder().lengthFieldLength(2).maxFrameLength(4).build();

  private final Recording out = new Recording();

  /** Remembers each call, and fails when it is told to. */
  private static final class Recording extends OutputStream {
    private final ByteArrayOutputStream wire = new ByteArrayOutputStream();
    private final List<byte[]> arrays = new ArrayList<>();
    private int flushes;
    private int closes;
    private @Nullable IOException writeFailure;
    private @Nullable IOException flushFailure;

    @Override
    public void write(int b) {
      throw new AssertionError("a single byte");
    }

    @Override
    public void write(byte[] from, int offset, int length) throws IOException {
      arrays.add(from);
      fail(writeFailure);
      wire.write(from, offset, length);
    }

    @Override
    public void flush() throws IOException {
      fail(flushFailure);
      flushes++;
    }

    private static void fail(@Nullable IOException failure) throws IOException {
      if (failure != null) {
        throw failure;
      }
    }

    @Override
    public void close() {
      closes++;
    }

    String hex() {
      return Wire.hex(wire.toByteArray());
    }
  }

  @Test
  void smallFramesAreGatheredUntilTheFlush() throws IOException {
    FrameWriter writer = FrameWriter.of(out, TWO);
    for (int i = 0; i < 100; i++) {
      writer.write(Wire.bytes("'ab'"));
    }
    assertThat(out.arrays).isEmpty();

    writer.flush();

    assertThat(out.arrays).hasSize(1);
    assertThat(out.flushes).isEqualTo(1);
    assertThat(out.hex()).isEqualTo(Wire.hex("| 0002 | 'ab' |").repeat(100));
  }

  @Test
  void fullBufferIsWrittenWithoutAFlush() throws IOException {
    FrameWriter writer = FrameWriter.of(out, FrameFormat.defaults());
    for (int i = 0; i < 40; i++) {
      writer.write(new byte[1020]);
    }

    assertThat(out.arrays).as("40 KiB gathered in 16 KiB").hasSize(2);
    assertThat(out.wire.size()).isEqualTo(2 * 16 * 1024);
    assertThat(out.flushes).isZero();
  }

  @Test
  void longPayloadIsWrittenWithoutACopy() throws IOException {
    byte[] payload = new byte[20_000];
    Arrays.fill(payload, (byte) 7);
    FrameFormat format = FrameFormat.builder().trailer((byte) 0xFF).build();
    FrameWriter writer = FrameWriter.of(out, format);

    writer.write(payload);
    assertThat(out.arrays).hasSize(2);
    assertThat(out.arrays.get(1)).isSameAs(payload);
    writer.flush();

    assertThat(out.arrays).hasSize(3);
    assertThat(out.hex()).isEqualTo("00004E21" + "07".repeat(20_000) + "FF");
  }

  private static Stream<Arguments> buffers() {
    UnaryOperator<ByteBuffer> direct =
        heap -> ByteBuffer.allocateDirect(heap.capacity()).put(heap).flip();
    return Stream.of(10, 5000, 200_000)
        .flatMap(length -> Stream.of(
            Arguments.of("heap", length, UnaryOperator.<ByteBuffer>identity()),
            Arguments.of(
                "read-only", length, (UnaryOperator<ByteBuffer>) ByteBuffer::asReadOnlyBuffer),
            Arguments.of("direct", length, direct),
            Arguments.of("direct and read-only", length, (UnaryOperator<ByteBuffer>)
                heap -> direct.apply(heap).asReadOnlyBuffer())));
  }

  @ParameterizedTest(name = "{0}, {1} bytes")
  @MethodSource("buffers")
  void bufferIsWrittenFromItsPositionToItsLimit(
      String name, int length, UnaryOperator<ByteBuffer> kind) throws IOException {
    byte[] bytes = new byte[length + 5];
    new Random(6).nextBytes(bytes);
    byte[] frame = Arrays.copyOfRange(bytes, 2, length + 2);
    ByteBuffer buffer = kind.apply(ByteBuffer.wrap(bytes)).position(2).limit(length + 2);
    ByteArrayOutputStream channel = new ByteArrayOutputStream();

    try (FrameWriter toStream = FrameWriter.of(out, FrameFormat.defaults());
        FrameWriter toChannel =
            FrameWriter.of(Channels.newChannel(channel), FrameFormat.defaults())) {
      toStream.write(buffer.duplicate());
      toChannel.write(buffer);
    }

    byte[] wire = Wire.join(ByteBuffer.allocate(4).putInt(length).array(), frame);
    assertThat(buffer.position()).isEqualTo(length + 2);
    assertThat(buffer.limit()).isEqualTo(length + 2);
    assertThat(out.wire.toByteArray()).as("seed 6").isEqualTo(wire);
    assertThat(channel.toByteArray()).as("seed 6").isEqualTo(wire);
  }

  @Test
  void partOfAnArrayIsAFrame() throws IOException {
    try (FrameWriter writer = FrameWriter.of(out, TWO)) {
      writer.write(Wire.bytes("'abcdef'"), 2, 3);
      assertThatExceptionOfType(IndexOutOfBoundsException.class)
          .isThrownBy(() -> writer.write(Wire.bytes("'abc'"), 1, 3))
          .withMessage("Range [1, 1 + 3) out of bounds for length 3");
    }

    assertThat(out.hex()).isEqualTo(Wire.hex("| 0003 | 'cde' |"));
  }

  @Test
  void refusedFrameLeavesNothingOnTheWire() throws IOException {
    FrameFormat format =
        TWO.toBuilder().beforeLength((byte) 9).initialBytesToStrip(0).build();
    ByteBuffer wrongConstant = ByteBuffer.wrap(Wire.bytes("| 08 | 0000 | 'ab' |"));
    try (FrameWriter writer = FrameWriter.of(out, format)) {
      writer.write(Wire.bytes("| 09 | 0000 | 'ab' |"));
      assertThatExceptionOfType(FrameTooLargeException.class)
          .isThrownBy(() -> writer.write(Wire.bytes("| 09 | 0000 | 'abcde' |")))
          .withMessage("frame length 5 exceeds maxFrameLength 4");
      assertThatExceptionOfType(CorruptFrameException.class)
          .isThrownBy(() -> writer.write(wrongConstant))
          .withMessage("beforeLength bytes of the frame are 0x08 (expected: 0x09)");
      writer.write(Wire.bytes("| 09 | 0000 | 'c' |"));
    }

    assertThat(wrongConstant.position()).isZero();
    assertThat(out.hex()).isEqualTo(Wire.hex("| 09 | 0002 | 'ab' | 09 | 0001 | 'c' |"));
  }

  @Test
  void streamThatFailsToWriteStaysBroken() throws IOException {
    FrameWriter writer = FrameWriter.of(out, TWO);
    writer.write(Wire.bytes("'ab'"));
    IOException failure = new IOException("reset");
    out.writeFailure = failure;
    assertThatThrownBy(writer::flush).isSameAs(failure);
    out.writeFailure = null;

    assertThatThrownBy(() -> writer.write(Wire.bytes("'cd'"))).isSameAs(failure);
    assertThatThrownBy(writer::flush).isSameAs(failure);
    assertThatThrownBy(writer::close).isSameAs(failure);
    assertThat(out.hex()).isEmpty();
    assertThat(out.closes).isEqualTo(1);
  }

  @Test
  void streamThatFailsToFlushStaysBroken() throws IOException {
    FrameWriter writer = FrameWriter.of(out, TWO);
    IOException failure = new IOException("reset");
    out.flushFailure = failure;
    assertThatThrownBy(writer::flush).isSameAs(failure);
    out.flushFailure = null;

    // It once went on, though a stream with a buffer may have lost or repeated part of a frame.
    assertThatThrownBy(() -> writer.write(Wire.bytes("'ab'"))).isSameAs(failure);
  }

  @Test
  void closeFlushesAndClosesOnce() throws IOException {
    FrameWriter writer = FrameWriter.of(out, TWO);
    writer.write(Wire.bytes("'ab'"));

    writer.close();
    int calls = out.arrays.size();
    writer.close();

    assertThat(out.hex()).isEqualTo(Wire.hex("| 0002 | 'ab' |"));
    assertThat(out.flushes).isEqualTo(1);
    assertThat(out.closes).isEqualTo(1);
    assertThat(out.arrays).hasSize(calls);
  }

  @ParameterizedTest
  @ValueSource(ints = {1 << 20, 1000})
  void channelThatDoesNotBlockIsRefusedAndStaysRefused(int length) throws IOException {
    Pipe pipe = Pipe.open();
    pipe.sink().configureBlocking(false);
    try (Pipe.SourceChannel source = pipe.source();
        Pipe.SinkChannel sink = pipe.sink()) {
      FrameWriter writer = FrameWriter.of(sink, FrameFormat.defaults());

      assertThatExceptionOfType(IllegalBlockingModeException.class).isThrownBy(() -> {
        for (int i = 0; i < 10_000; i++) {
          writer.write(new byte[length]);
        }
      });

      // It once went on behind a part of the frame.
      assertThatExceptionOfType(IOException.class)
          .isThrownBy(() -> writer.write(new byte[1]))
          .withMessage("channel is not in blocking mode");
      assertThat(source.isOpen()).isTrue();
    }
  }

  @Test
  @SuppressWarnings("NullAway")
  void nullsAreNamed() {
    assertThatNullPointerException()
        .isThrownBy(() -> FrameWriter.of((OutputStream) null, TWO))
        .withMessage("out");
    assertThatNullPointerException()
        .isThrownBy(() -> FrameWriter.of((WritableByteChannel) null, TWO))
        .withMessage("out");
    assertThatNullPointerException()
        .isThrownBy(() -> FrameWriter.of(out, null))
        .withMessage("format");
  }
}
