package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.random;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.IllegalReferenceCountException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class FrameEncoderTest {
  private static final ByteBufAllocator ALLOCATOR = ByteBufAllocator.DEFAULT;
  private static final FrameFormat TWO =
      FrameFormat.builder().lengthFieldLength(2).maxFrameLength(4).build();
  private static final FrameFormat KEPT =
      TWO.toBuilder().beforeLength((byte) 9).initialBytesToStrip(0).build();
  private static final FrameFormat KEPT_VARINT =
      FrameFormat.protobufDelimited().toBuilder().initialBytesToStrip(0).build();

  private final FrameCounters counters = new FrameCounters();

  private static String taken(ByteBuf out) {
    String hex = Wire.hex(ByteBufUtil.getBytes(out));
    out.release();
    return hex;
  }

  /** The ways that write into a buffer. */
  private enum Way {
    ARRAY,
    NIO_BUFFER,
    BUFFER;

    void encode(FrameEncoder encoder, byte[] frame, ByteBuf out) throws FramingException {
      switch (this) {
        case ARRAY -> encoder.encode(frame, out);
        case NIO_BUFFER -> encoder.encode(ByteBuffer.wrap(frame), out);
        case BUFFER -> encoder.encode(Unpooled.wrappedBuffer(frame), 0, frame.length, out);
      }
    }
  }

  @Test
  void framesStandOneBehindTheOther() throws FramingException {
    FrameEncoder encoder = FrameEncoder.of(FrameFormat.defaults());
    ByteBuf out = ALLOCATOR.buffer();

    encoder.encode("hello".getBytes(UTF_8), out);
    encoder.encode("world".getBytes(UTF_8), out);

    assertThat(taken(out)).isEqualTo(Wire.hex("| 00000005 | 'hello' | 00000005 | 'world' |"));
  }

  @ParameterizedTest
  @EnumSource
  void bufferGrows(Way way) throws FramingException {
    byte[] frame = random(100_000, 1);
    ByteBuf out = ALLOCATOR.buffer(1).writeByte(7);

    way.encode(FrameEncoder.of(FrameFormat.defaults()), frame, out);

    assertThat(taken(out)).isEqualTo("07" + "000186A0" + Wire.hex(frame));
  }

  private static Stream<Arguments> outs() {
    return Stream.of(
            out("heap", () -> ALLOCATOR.heapBuffer(1)),
            out("direct", () -> ALLOCATOR.directBuffer(1)),
            out("unpooled", Unpooled::buffer),
            out("composite", () -> ALLOCATOR.compositeBuffer()),
            out("composite of several", FrameEncoderTest::composite),
            out("little-endian", FrameEncoderTest::littleEndian),
            out("exact", () -> ALLOCATOR.buffer(3, 3)))
        .flatMap(out ->
            Stream.of(Way.values()).map(way -> Arguments.of(out.get()[0], out.get()[1], way)));
  }

  private static Arguments out(String name, Supplier<ByteBuf> made) {
    return Arguments.of(name, made);
  }

  @SuppressWarnings("deprecation")
  private static ByteBuf littleEndian() {
    return ALLOCATOR.buffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteBuf composite() {
    CompositeByteBuf out = ALLOCATOR.compositeBuffer();
    for (int i = 0; i < 10; i++) {
      out.addComponent(ALLOCATOR.buffer(1, 1).writeZero(1));
    }
    return out;
  }

  @ParameterizedTest(name = "{0}, {2}")
  @MethodSource("outs")
  void framesGoIntoBuffersOfAnyKind(String name, Supplier<ByteBuf> made, Way way)
      throws FramingException {
    for (FrameFormat format : List.of(FrameFormat.protobufDelimited(), KEPT_VARINT)) {
      byte[] frame = Wire.bytes(format.equals(KEPT_VARINT) ? "| 02 | 'ab' |" : "'ab'");
      ByteBuf out = made.get();

      way.encode(FrameEncoder.of(format), frame, out);

      assertThat(taken(out)).isEqualTo(Wire.hex("| 02 | 'ab' |"));
    }
  }

  @ParameterizedTest
  @EnumSource
  void frameThatDoesNotFitLeavesNothing(Way way) {
    FrameEncoder encoder = FrameEncoder.of(TWO, counters, null);
    for (int room = 0; room < 6; room++) {
      ByteBuf out = Unpooled.buffer(1 + room, 1 + room).writeByte(7);

      assertThatExceptionOfType(IndexOutOfBoundsException.class)
          .isThrownBy(() -> way.encode(encoder, Wire.bytes("'abcd'"), out));
      assertThat(out.writerIndex()).isEqualTo(1);
    }
    encoder.report();
    assertThat(counters.framesRefused()).isEqualTo(6);
    assertThat(counters.framesEncoded()).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void refusedFrameLeavesNothing(Way way) throws FramingException {
    FrameEncoder encoder = FrameEncoder.of(KEPT, counters, null);
    ByteBuf out = ALLOCATOR.buffer();

    way.encode(encoder, Wire.bytes("| 09 | 0000 | 'ab' |"), out);
    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(() -> way.encode(encoder, Wire.bytes("| 09 | 0000 | 'abcde' |"), out))
        .withMessage("frame length 5 exceeds maxFrameLength 4");
    assertThatExceptionOfType(CorruptFrameException.class)
        .isThrownBy(() -> way.encode(encoder, Wire.bytes("| 08 | 0000 | 'ab' |"), out))
        .withMessage("beforeLength bytes of the frame are 0x08 (expected: 0x09)");
    assertThatExceptionOfType(CorruptFrameException.class)
        .isThrownBy(() -> way.encode(encoder, Wire.bytes("| 09 |"), out))
        .withMessage("frame of 1 bytes is too short for its kept header (expected: >= 3)");
    way.encode(encoder, Wire.bytes("| 09 | 0000 | 'c' |"), out);

    assertThat(taken(out)).isEqualTo(Wire.hex("| 09 | 0002 | 'ab' | 09 | 0001 | 'c' |"));
    encoder.report();
    assertThat(counters.framesEncoded()).isEqualTo(2);
    assertThat(counters.bytesEncoded()).isEqualTo(9);
    assertThat(counters.framesRefused()).isEqualTo(3);
  }

  @Test
  void nioBufferIsConsumedUnlessItIsRefused() throws FramingException {
    FrameEncoder encoder = FrameEncoder.of(TWO);
    ByteBuf out = ALLOCATOR.buffer();
    ByteBuffer frames = ByteBuffer.wrap(Wire.bytes("'0abcdef'")).position(1).limit(4);

    encoder.encode(frames, out);
    assertThat(frames.position()).isEqualTo(4);
    frames.position(1).limit(7);
    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(() -> encoder.encode(frames, out));
    assertThat(frames.position()).isEqualTo(1);
    ByteBuf exact = Unpooled.buffer(3, 3);
    frames.limit(4);
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> encoder.encode(frames, exact));
    assertThat(frames.position()).isEqualTo(1);
    encoder.encode(frames.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN), out);

    assertThat(taken(out)).isEqualTo(Wire.hex("| 0003 | 'abc' | 0003 | 'abc' |"));
  }

  @Test
  void partOfABufferIsAFrame() throws FramingException {
    FrameEncoder encoder = FrameEncoder.of(TWO);
    ByteBuf frame = Unpooled.wrappedBuffer(Wire.bytes("'abcdef'")).skipBytes(1);
    ByteBuf out = ALLOCATOR.buffer();

    encoder.encode(frame, 2, 3, out);
    assertThatExceptionOfType(IndexOutOfBoundsException.class)
        .isThrownBy(() -> encoder.encode(frame, 4, 3, out))
        .withMessage("Range [4, 4 + 3) out of bounds for length 6");

    assertThat(frame.readerIndex()).isEqualTo(1);
    assertThat(frame.refCnt()).isEqualTo(1);
    assertThat(taken(out)).isEqualTo(Wire.hex("| 0003 | 'cde' |"));
  }

  @Test
  void payloadOfAWholeMessageIsNotCopied() throws FramingException {
    CountingAllocator memory = new CountingAllocator();
    byte[] payload = random(100_000, 2);
    ByteBuf frame = memory.read(payload, payload.length);
    FrameFormat format = FrameFormat.builder().trailer((byte) 0xFF).build();
    FrameEncoder encoder = FrameEncoder.of(format, counters, null);

    EncodedFrames encoded = encoder.encode(frame, memory);

    assertThat(memory.copied()).isZero();
    assertThat(memory.held()).isEqualTo(payload.length + encoder.maxOverhead());
    assertThat(encoded.size()).isEqualTo(1);
    assertThat(Wire.hex(ByteBufUtil.getBytes(encoded.content())))
        .isEqualTo("000186A1" + Wire.hex(payload) + "FF");
    encoder.report();
    assertThat(counters.framesEncoded()).isEqualTo(1);
    assertThat(counters.bytesEncoded()).isEqualTo(100_005);
    encoded.release();
    assertThat(memory.buffers()).isZero();
  }

  @Test
  void wholeMessageMayBeEmptyOrKeepItsHeader() throws FramingException {
    EncodedFrames empty = FrameEncoder.of(TWO).encode(ALLOCATOR.buffer(), ALLOCATOR);
    assertThat(taken(empty.content())).isEqualTo("0000");

    ByteBuf kept = ALLOCATOR.buffer().writeBytes(Wire.bytes("| 09 | 0000 | 'ab' |"));
    EncodedFrames encoded = FrameEncoder.of(KEPT).encode(kept, ALLOCATOR);
    assertThat(taken(encoded.content())).isEqualTo(Wire.hex("| 09 | 0002 | 'ab' |"));
  }

  @Test
  void wholeMessageThatIsRefusedIsReleased() {
    CountingAllocator memory = new CountingAllocator();
    FrameEncoder encoder = FrameEncoder.of(TWO, counters, null);
    ByteBuf frame = memory.read(new byte[5], 5);

    assertThatExceptionOfType(FrameTooLargeException.class)
        .isThrownBy(() -> encoder.encode(frame, memory));
    assertThat(memory.buffers()).isZero();
    assertThatThrownBy(() -> encoder.encode(frame, memory))
        .isInstanceOfAny(FrameTooLargeException.class, IllegalReferenceCountException.class);
    assertThat(memory.buffers()).isZero();
    encoder.report();
    assertThat(counters.framesRefused()).isEqualTo(2);
    assertThat(counters.framesEncoded()).isZero();
  }

  @Test
  void codecWritesWhatWasEncodedHere() throws FramingException {
    ByteBuf frame = ALLOCATOR.buffer().writeBytes(Wire.bytes("'ab'"));
    try (CodecChannel channel = CodecChannel.of(TWO)) {
      channel.channel.writeOutbound(FrameEncoder.of(TWO).encode(frame, ALLOCATOR));

      ByteBuf written = channel.channel.readOutbound();
      assertThat(taken(written)).isEqualTo(Wire.hex("| 0002 | 'ab' |"));
    }
  }

  @Test
  void overheadIsThatOfTheLongestHeaderAndTheTrailer() {
    assertThat(FrameEncoder.of(TWO).maxOverhead()).isEqualTo(2);
    assertThat(FrameEncoder.of(FrameFormat.protobufDelimited()).maxOverhead()).isEqualTo(5);
    FrameFormat.Builder constants = TWO.toBuilder().beforeLength((byte) 1, (byte) 2);
    assertThat(FrameEncoder.of(constants.trailer((byte) 3).build()).maxOverhead())
        .isEqualTo(5);
  }

  @Test
  void formatThatCanOnlyDecodeIsRefused() {
    FrameFormat format = FrameFormat.builder().lengthFieldOffset(1).build();

    assertThatIllegalStateException()
        .isThrownBy(() -> FrameEncoder.of(format))
        .withMessageStartingWith("format cannot encode: frame bytes 0 to 0 are stripped");
    assertThat(FrameEncoder.of(TWO).format()).isEqualTo(TWO);
  }

  @Test
  @SuppressWarnings("NullAway")
  void nullsAreNamed() {
    assertThatNullPointerException().isThrownBy(() -> FrameEncoder.of(null)).withMessage("format");
    assertThatNullPointerException()
        .isThrownBy(() -> FrameEncoder.of(TWO, null, null))
        .withMessage("counters");
  }
}
