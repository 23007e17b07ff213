package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.random;
import static dev.mullion.framing.TestBytes.read;
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
import io.netty.buffer.UnpooledByteBufAllocator;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class FrameDecoderTest {
  private static final FrameFormat TWO =
      FrameFormat.builder().lengthFieldLength(2).maxFrameLength(8).build();
  private static final SocketAddress PEER =
      InetSocketAddress.createUnresolved("peer.example", 4711);

  private final FrameCounters counters = new FrameCounters();

  private FrameDecoder decoder(FrameFormat format) {
    return FrameDecoder.of(format, counters, null);
  }

  private static ByteBuf buffer(String drawn) {
    return read(Wire.bytes(drawn));
  }

  private static void assertNext(FrameDecoder decoder, String frame) throws FramingException {
    assertThat(decoder.next()).asHexString().isEqualTo(Wire.hex(frame));
  }

  private static List<String> nextFrames(FrameDecoder decoder) throws FramingException {
    List<String> frames = new ArrayList<>();
    byte[] frame;
    while ((frame = decoder.next()) != null) {
      frames.add(Wire.hex(frame));
    }
    return frames;
  }

  @Test
  void frameIsThereWhenItsLastByteHasCome() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      assertThat(decoder.next()).isNull();
      for (String piece : List.of("00", "03", "'a'", "'b'")) {
        decoder.add(buffer(piece));
        assertThat(decoder.next()).as("behind %s", piece).isNull();
      }
      decoder.add(buffer("'c' | 0000 | 0001 | 'd'"));

      assertThat(nextFrames(decoder))
          .containsExactly(Wire.hex("'abc'"), Wire.hex(""), Wire.hex("'d'"));
      assertThat(decoder.next()).isNull();
    }
  }

  @Test
  void cleanEndIsNullAndStaysNull() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(buffer("| 0001 | 'a' |"));
      decoder.end();
      decoder.end();

      assertNext(decoder, "'a'");
      assertThat(decoder.next()).isNull();
      assertThat(decoder.next()).isNull();
      assertThat(counters.framesTruncated()).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource({
    "'31', 1 header bytes, 1, -1",
    "'313A', 0 of 1 payload bytes, 0, 1",
    "'333A6162', 2 of 3 payload bytes, 2, 3",
    "'313A61', 0 of 1 trailer bytes, 0, 1"
  })
  void endInsideAFrameIsAnErrorThatStays(String wire, String part, long received, long expected)
      throws FramingException {
    try (FrameDecoder decoder = FrameDecoder.of(FrameFormat.netstring(), counters, PEER)) {
      decoder.add(buffer("'5:hello,'" + wire));
      decoder.end();
      assertNext(decoder, "'hello'");

      assertThatExceptionOfType(TruncatedFrameException.class)
          .isThrownBy(decoder::next)
          .withMessage("stream ended inside a frame: " + part + " (peer " + PEER + ", frame 2)")
          .satisfies(cut -> {
            assertThat(cut.received()).isEqualTo(received);
            assertThat(cut.expected()).isEqualTo(expected);
            assertThat(cut.peer()).isEqualTo(PEER);
            assertThatThrownBy(decoder::next).isSameAs(cut);
          });
      assertThat(decoder.isInsideFrame()).isFalse();
      assertThat(decoder.bufferedBytes()).isZero();
    }
    assertThat(counters.framesTruncated()).isEqualTo(1);
    assertThat(counters.bytesDecoded()).isEqualTo(8);
    assertThat(counters.bytesDiscarded()).isEqualTo(wire.length() / 2);
  }

  @Test
  void corruptStreamStaysCorrupt() throws FramingException {
    FrameDecoder decoder = decoder(FrameFormat.netstring());
    decoder.add(buffer("'1:a,x1:b,'"));
    assertNext(decoder, "'a'");

    assertThatExceptionOfType(CorruptFrameException.class)
        .isThrownBy(decoder::next)
        .withMessage("decimal length contains byte 0x78 (expected: digits, then ':') (frame 2)")
        .satisfies(corrupt -> {
          decoder.add(buffer("'1:c,'"));
          decoder.end();
          assertThatThrownBy(decoder::next).isSameAs(corrupt);
          decoder.close();
          assertThatThrownBy(decoder::next).isSameAs(corrupt);
        });
    assertThat(counters.framesCorrupt()).isEqualTo(1);
    assertThat(counters.framesDecoded()).isEqualTo(1);
    assertThat(counters.bytesDiscarded()).isEqualTo(9);
  }

  @Test
  void badTrailerIsCorruptWhenAllOfItHasCome() throws FramingException {
    FrameFormat format = TWO.toBuilder().trailer((byte) 0x0D, (byte) 0x0A).build();
    try (FrameDecoder decoder = decoder(format)) {
      decoder.add(buffer("| 0003 | 'a' | 0D"));
      assertThat(decoder.next()).isNull();
      decoder.add(buffer("0B"));

      assertThatExceptionOfType(CorruptFrameException.class)
          .isThrownBy(decoder::next)
          .withMessage("trailer bytes are 0x0D0B (expected: 0x0D0A) (frame 1)");
    }
    assertThat(counters.bytesDiscarded()).isEqualTo(5);
  }

  @Test
  void frameBehindOneThatIsTooLargeIsDecoded() throws FramingException {
    try (FrameDecoder decoder = FrameDecoder.of(TWO, counters, PEER)) {
      decoder.add(buffer("| 0001 | 'a' | 0009 | '1234'"));
      assertNext(decoder, "'a'");
      assertThatExceptionOfType(FrameTooLargeException.class)
          .isThrownBy(decoder::next)
          .withMessage("frame length 9 exceeds maxFrameLength 8 (peer " + PEER + ", frame 2)");

      assertThat(decoder.next()).isNull();
      assertThat(decoder.isInsideFrame()).isTrue();
      decoder.add(buffer("'567'"));
      assertThat(decoder.next()).isNull();
      assertThat(decoder.bufferedBytes()).as("what is skipped is not held").isZero();
      decoder.add(buffer("'89' | 0002 | 'bc' |"));
      assertNext(decoder, "'bc'");
      assertThat(decoder.isInsideFrame()).isFalse();

      decoder.add(buffer("| FFFF"));
      assertThatExceptionOfType(FrameTooLargeException.class)
          .isThrownBy(decoder::next)
          .withMessageEndingWith("frame 4)");
    }
    assertThat(counters.framesTooLarge()).isEqualTo(2);
    assertThat(counters.framesDecoded()).isEqualTo(2);
    assertThat(counters.bytesDecoded()).isEqualTo(7);
    assertThat(counters.bytesDiscarded()).isEqualTo(11 + 2);
  }

  @Test
  void endInsideASkippedFrameIsAnErrorThatStays() {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(buffer("| 0009 | '1234'"));
      assertThatExceptionOfType(FrameTooLargeException.class).isThrownBy(decoder::next);
      decoder.end();

      assertThatExceptionOfType(TruncatedFrameException.class)
          .isThrownBy(decoder::next)
          .withMessage("stream ended inside a frame: 4 of 9 payload bytes (frame 1)")
          .satisfies(cut -> assertThatThrownBy(decoder::next).isSameAs(cut));
      assertThat(decoder.isInsideFrame()).isFalse();
    }
    assertThat(counters.bytesDiscarded()).isEqualTo(6);
  }

  /** What stands behind a length line in another format, and breaks the first one. */
  private static Stream<Arguments> changes() {
    FrameFormat first = TWO.toBuilder().beforeLength((byte) 0xCA, (byte) 0xFE).build();
    return Stream.of(
            Arguments.of(
                "corrupt", first, FrameFormat.netstring(), "| CAFE 0001 | 'a' |", "'2:bc,'"),
            Arguments.of(
                "too large", TWO, FrameFormat.defaults(), "| 0001 | 'a' |", "| 00000002 | 'bc' |"),
            Arguments.of("too large", TWO, FrameFormat.netstring(), "| 0001 | 'a' |", "'2:bc,'"),
            Arguments.of(
                "longer", TWO, FrameFormat.protobufDelimited(), "| 0001 | 'a' |", "| 02 | 'bc'"),
            Arguments.of("shorter", FrameFormat.netstring(), TWO, "'1:a,'", "| 0002 | 'bc'"))
        .flatMap(change -> {
          Object[] all = change.get();
          byte[] wire = Wire.join(Wire.bytes((String) all[3]), Wire.bytes((String) all[4]));
          return Delivery.of(wire)
              .filter(delivery -> delivery.copies() == 1)
              .map(delivery -> Arguments.of(all[0], all[1], all[2], delivery));
        });
  }

  @ParameterizedTest(name = "{0} in {1}, then {2}, {3}")
  @MethodSource("changes")
  void formatChangesBetweenTwoFrames(
      String kind, FrameFormat first, FrameFormat second, Delivery delivery)
      throws FramingException {
    List<String> frames = new ArrayList<>();
    try (FrameDecoder decoder = decoder(first)) {
      for (byte[] piece : delivery.pieces()) {
        decoder.add(read(piece));
        byte[] frame;
        while ((frame = decoder.next()) != null) {
          frames.add(Wire.hex(frame));
          decoder.format(second);
        }
      }
      decoder.end();

      assertThat(decoder.next()).isNull();
      assertThat(decoder.format()).isEqualTo(second);
    }
    assertThat(frames).containsExactly(Wire.hex("'a'"), Wire.hex("'bc'"));
    assertThat(counters.framesDecoded()).isEqualTo(2);
  }

  @Test
  void bytesThatWaitAreDecodedAnewWhenTheFormatChanges() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(buffer("| 0001 | 'a' | 0003 | 'bc'"));
      assertNext(decoder, "'a'");
      assertThat(decoder.next()).as("its header has been looked at").isNull();

      decoder.format(FrameFormat.builder().lengthFieldLength(1).build());

      // 00 is a frame now, and so is 03 with three bytes behind it.
      assertNext(decoder, "");
      assertThat(decoder.next()).isNull();
      decoder.add(buffer("'d'"));
      assertNext(decoder, "'bcd'");
    }
  }

  @Test
  void framesAreNumberedOnWhenTheFormatChanges() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(buffer("| 0001 | 'a' | 'xx'"));
      assertNext(decoder, "'a'");
      decoder.format(FrameFormat.netstring());

      assertThatExceptionOfType(CorruptFrameException.class)
          .isThrownBy(decoder::next)
          .withMessageEndingWith("(frame 2)");
    }
  }

  @Test
  void skippedFrameIsSkippedOnWhenTheFormatChanges() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(buffer("| 0009 | '1234'"));
      assertThatExceptionOfType(FrameTooLargeException.class).isThrownBy(decoder::next);
      decoder.format(FrameFormat.netstring());
      decoder.add(buffer("'56789' '1:a,'"));
      assertNext(decoder, "'a'");
    }
  }

  @Test
  void endInsideASkippedFrameIsThatOfItsOwnFormat() {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(buffer("| 0009 | '1234'"));
      assertThatExceptionOfType(FrameTooLargeException.class).isThrownBy(decoder::next);
      decoder.format(FrameFormat.netstring());
      decoder.end();

      assertThatExceptionOfType(TruncatedFrameException.class)
          .isThrownBy(decoder::next)
          .withMessage("stream ended inside a frame: 4 of 9 payload bytes (frame 1)");
    }
  }

  @Test
  void whatIsHeldBelongsToNoFrameYet() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      assertThat(decoder.isInsideFrame()).isFalse();
      assertThat(decoder.bufferedBytes()).isZero();

      decoder.add(buffer("| 0001 | 'a' | 00"));
      assertThat(decoder.bufferedBytes()).isEqualTo(4);
      assertNext(decoder, "'a'");
      assertThat(decoder.next()).isNull();
      assertThat(decoder.isInsideFrame()).isTrue();
      assertThat(decoder.bufferedBytes()).isEqualTo(1);

      decoder.add(buffer("00"));
      assertNext(decoder, "");
      assertThat(decoder.isInsideFrame()).isFalse();
      assertThat(decoder.bufferedBytes()).isZero();
    }
  }

  @Test
  void bytesThatWaitAreHandedOver() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      assertThat(decoder.takeBuffered().isReadable()).isFalse();
      decoder.add(buffer("| 0001 | 'a' | 0008 | 'b'"));
      assertNext(decoder, "'a'");
      assertThat(decoder.next()).isNull();
      decoder.add(buffer("'cd'"));

      ByteBuf taken = decoder.takeBuffered();
      assertThat(Wire.hex(ByteBufUtil.getBytes(taken))).isEqualTo(Wire.hex("| 0008 | 'bcd'"));
      taken.release();
      assertThat(decoder.isInsideFrame()).isFalse();

      decoder.add(buffer("| 0001 | 'e' |"));
      assertNext(decoder, "'e'");
      decoder.end();
      assertThat(decoder.next()).isNull();
    }
    assertThat(counters.bytesDecoded()).isEqualTo(6);
    assertThat(counters.bytesDiscarded()).isZero();
  }

  @Test
  void longPartsAreHandedOverInTheirOrder() {
    byte[] all = random(50_000, 3);
    all[0] = 0x7F;
    try (FrameDecoder decoder =
        decoder(FrameFormat.builder().maxFrameLength(Integer.MAX_VALUE - 20).build())) {
      for (byte[] piece : TestBytes.pieces(all, 3001)) {
        decoder.add(read(piece));
      }
      ByteBuf taken = decoder.takeBuffered();
      assertThat(ByteBufUtil.getBytes(taken)).as("seed 3").isEqualTo(all);
      taken.release();
    }
  }

  private static Stream<Arguments> buffers() {
    ByteBufAllocator pooled = ByteBufAllocator.DEFAULT;
    ByteBufAllocator unpooled = UnpooledByteBufAllocator.DEFAULT;
    return Stream.of(
        kind("direct", bytes -> pooled.directBuffer().writeBytes(take(bytes))),
        kind("heap", bytes -> pooled.heapBuffer().writeBytes(take(bytes))),
        kind("unpooled direct", bytes -> unpooled.directBuffer().writeBytes(take(bytes))),
        kind("wrapped", bytes -> Unpooled.wrappedBuffer(take(bytes))),
        kind("read-only", bytes -> Unpooled.wrappedBuffer(take(bytes)).asReadOnly()),
        kind(
            "read-only, of NIO",
            bytes -> Unpooled.wrappedBuffer(bytes.nioBuffer().asReadOnlyBuffer())),
        kind("little-endian", FrameDecoderTest::littleEndian),
        kind("slice", bytes -> {
          byte[] content = take(bytes);
          ByteBuf around = pooled.buffer().writeZero(5).writeBytes(content).writeZero(5);
          return around.skipBytes(5).slice(5, content.length);
        }),
        kind(
            "shared duplicate with room",
            bytes -> pooled.buffer(100).writeBytes(take(bytes)).duplicate()),
        kind(
            "composite of one",
            bytes -> pooled.compositeBuffer().addComponent(true, read(take(bytes)))),
        kind("composite", FrameDecoderTest::composite));
  }

  private static Arguments kind(String name, UnaryOperator<ByteBuf> kind) {
    return Arguments.of(name, kind);
  }

  private static byte[] take(ByteBuf bytes) {
    return ByteBufUtil.getBytes(bytes);
  }

  @SuppressWarnings("deprecation")
  private static ByteBuf littleEndian(ByteBuf bytes) {
    return ByteBufAllocator.DEFAULT.buffer().writeBytes(take(bytes)).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteBuf composite(ByteBuf bytes) {
    CompositeByteBuf all = ByteBufAllocator.DEFAULT.compositeBuffer(1000);
    for (byte one : take(bytes)) {
      all.addComponent(true, read(one));
    }
    return all;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("buffers")
  void bytesMayComeInBuffersOfAnyKind(String name, UnaryOperator<ByteBuf> kind)
      throws FramingException {
    FrameFormat format = TWO.toBuilder().trailer((byte) '!').build();
    byte[] wire = Wire.bytes("| 0003 | 'ab' | '!' | 0001 | '!' | 0004 | 'cde' | '!' |");
    for (boolean atOnce : new boolean[] {false, true}) {
      for (List<byte[]> pieces : TestBytes.deliveries(wire)) {
        List<String> frames = new ArrayList<>();
        try (FrameDecoder decoder = decoder(format)) {
          for (byte[] piece : pieces) {
            decoder.add(kind.apply(Unpooled.wrappedBuffer(piece)));
            if (!atOnce) {
              frames.addAll(nextFrames(decoder));
            }
          }
          frames.addAll(nextFrames(decoder));
        }
        assertThat(frames).containsExactly(Wire.hex("'ab'"), "", Wire.hex("'cde'"));
      }
    }
  }

  @Test
  void addedBufferIsNotWrittenTo() throws FramingException {
    ByteBuf shared = ByteBufAllocator.DEFAULT.buffer(100).writeBytes(Wire.bytes("| 0003 | 'a'"));
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(shared.retainedDuplicate());
      shared.writeByte('z');
      decoder.add(buffer("'bc'"));

      assertNext(decoder, "'abc'");
      assertThat(shared.getByte(3)).isEqualTo((byte) 'z');
    } finally {
      shared.release();
    }
  }

  @Test
  void framesAreOnesOwn() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      ByteBuf bytes = buffer("| 0001 | 'a' | 0001 | 'b' |");
      decoder.add(bytes.retain());
      byte[] first = decoder.next();
      byte[] second = decoder.next();
      bytes.setZero(0, 6);

      assertThat(List.of(first, second)).containsExactly(Wire.bytes("'a'"), Wire.bytes("'b'"));
      bytes.release();
    }
  }

  @Test
  void buffersAreReleasedWhenTheirBytesAreTaken() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      ByteBuf bytes = buffer("| 0001 | 'a' | 0001 | 'b' |");
      decoder.add(bytes);
      decoder.next();
      assertThat(bytes.refCnt()).isEqualTo(1);
      decoder.next();
      assertThat(bytes.refCnt()).isZero();

      ByteBuf empty = read();
      decoder.add(empty);
      assertThat(empty.refCnt()).isZero();
      assertThat(decoder.isInsideFrame()).isFalse();
    }
  }

  @Test
  void framesAreCountedWhenTheyAreAllTaken() throws FramingException {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.add(buffer("| 0001 | 'a' | 0002 | 'bc' | 00"));
      assertThat(nextFrames(decoder)).hasSize(2);

      assertThat(counters.framesDecoded()).isEqualTo(2);
      assertThat(counters.bytesDecoded()).isEqualTo(7);
    }
    assertThat(counters.bytesDiscarded()).as("held when it was closed").isEqualTo(1);
  }

  @Test
  void bytesBehindTheEndAreRefusedAndReleased() {
    try (FrameDecoder decoder = decoder(TWO)) {
      decoder.end();
      ByteBuf late = buffer("00");

      assertThatIllegalStateException()
          .isThrownBy(() -> decoder.add(late))
          .withMessage("decoder has ended: end() was called");
      assertThat(late.refCnt()).isZero();
    }
  }

  @Test
  void closedDecoderHoldsNothing() {
    FrameDecoder decoder = decoder(TWO);
    ByteBuf bytes = buffer("| 0001 | 'a' |");
    decoder.add(bytes);
    decoder.close();
    decoder.close();

    assertThat(bytes.refCnt()).isZero();
    assertThat(decoder.isInsideFrame()).isFalse();
    assertThat(counters.bytesDiscarded()).isEqualTo(3);
    assertThatIllegalStateException().isThrownBy(decoder::next).withMessage("decoder is closed");
    assertThatIllegalStateException()
        .isThrownBy(decoder::takeBuffered)
        .withMessage("decoder is closed");
    ByteBuf late = buffer("00");
    assertThatIllegalStateException()
        .isThrownBy(() -> decoder.add(late))
        .withMessage("decoder is closed");
    assertThat(late.refCnt()).isZero();
  }

  @Test
  void longHeaderMayComeByteByByte() throws FramingException {
    FrameFormat format = FrameFormat.builder()
        .lengthFieldOffset(20_000)
        .lengthFieldLength(1)
        .initialBytesToStrip(40_000)
        .lengthAdjustment(19_999)
        .build();
    byte[] wire = new byte[40_002];
    wire[20_000] = 2;
    wire[40_000] = 'a';
    wire[40_001] = 'b';
    try (FrameDecoder decoder = decoder(format)) {
      for (byte one : wire) {
        if (decoder.next() != null) {
          throw new AssertionError("not complete");
        }
        decoder.add(read(one));
      }
      assertNext(decoder, "'ab'");
    }
  }

  @Test
  @SuppressWarnings("NullAway")
  void nullsAreNamed() {
    assertThatNullPointerException().isThrownBy(() -> FrameDecoder.of(null)).withMessage("format");
    assertThatNullPointerException()
        .isThrownBy(() -> FrameDecoder.of(TWO, null, null))
        .withMessage("counters");
    try (FrameDecoder decoder = FrameDecoder.of(TWO)) {
      assertThatNullPointerException().isThrownBy(() -> decoder.add(null)).withMessage("bytes");
      assertThatNullPointerException().isThrownBy(() -> decoder.format(null)).withMessage("format");
      assertThat(decoder.format()).isEqualTo(TWO);
    }
  }
}
