package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.pieces;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.AdaptiveByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a read may lie in. */
class CodecBuffersTest {
  private static final ByteBufAllocator POOLED = PooledByteBufAllocator.DEFAULT;
  private static final ByteBufAllocator ADAPTIVE = new AdaptiveByteBufAllocator();
  private static final ByteBufAllocator UNPOOLED = UnpooledByteBufAllocator.DEFAULT;

  private enum Kind {
    POOLED_HEAP,
    POOLED_DIRECT,
    ADAPTIVE_HEAP,
    ADAPTIVE_DIRECT,
    UNPOOLED_HEAP,
    UNPOOLED_DIRECT,
    WRAPPED_ARRAY,
    WRAPPED_READ_ONLY,
    READ_ONLY,
    SLICE,
    LITTLE_ENDIAN_VIEW,
    COMPOSITE_OF_SINGLE_BYTES,
    COMPOSITE_OF_THREES,
    COMPOSITE_OF_ONE;

    ByteBuf of(byte[] b) {
      return switch (this) {
        case POOLED_HEAP -> POOLED.heapBuffer(b.length).writeBytes(b);
        case POOLED_DIRECT -> POOLED.directBuffer(b.length).writeBytes(b);
        case ADAPTIVE_HEAP -> ADAPTIVE.heapBuffer(b.length).writeBytes(b);
        case ADAPTIVE_DIRECT -> ADAPTIVE.directBuffer(b.length).writeBytes(b);
        case UNPOOLED_HEAP -> UNPOOLED.heapBuffer(b.length).writeBytes(b);
        case UNPOOLED_DIRECT -> UNPOOLED.directBuffer(b.length).writeBytes(b);
        case WRAPPED_ARRAY -> Unpooled.wrappedBuffer(b);
        case WRAPPED_READ_ONLY -> Unpooled.wrappedBuffer(ByteBuffer.wrap(b).asReadOnlyBuffer());
        case READ_ONLY -> POOLED.directBuffer(b.length).writeBytes(b).asReadOnly();
        case SLICE -> slice(b);
        case LITTLE_ENDIAN_VIEW -> littleEndian(b);
        case COMPOSITE_OF_SINGLE_BYTES -> composite(b, 1);
        case COMPOSITE_OF_THREES -> composite(b, 3);
        case COMPOSITE_OF_ONE -> composite(b, b.length);
      };
    }

    private static ByteBuf slice(byte[] bytes) {
      ByteBuf around = POOLED.directBuffer(bytes.length + 20).writeZero(7).writeBytes(bytes);
      ByteBuf slice = around.writeZero(13).retainedSlice(7, bytes.length);
      around.release();
      return slice;
    }

    // The length's order is the format's, not that of the buffer it came in.
    @SuppressWarnings("deprecation")
    private static ByteBuf littleEndian(byte[] bytes) {
      return POOLED.directBuffer(bytes.length).writeBytes(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static ByteBuf composite(byte[] bytes, int size) {
      CompositeByteBuf composite = POOLED.compositeDirectBuffer(Integer.MAX_VALUE);
      pieces(bytes, size).forEach(piece -> composite.addComponent(true, TestBytes.read(piece)));
      return composite;
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyKindOfBufferIsDecodedAndReleased(Kind kind) {
    byte[] begin = bytes("0003 414243  0001 44  0004 45");
    byte[] end = bytes("464748  0000  0002 494A");
    for (boolean batches : new boolean[] {false, true}) {
      ByteBuf first = kind.of(begin);
      ByteBuf second = kind.of(end);
      try (CodecChannel channel = CodecChannel.of(FrameFormat.dnsOverTcp(), batches)) {
        channel.read(first, second);

        assertThat(channel.events())
            .containsExactly(
                frame("414243"), frame("44"), frame("45464748"), frame(""), frame("494A"));
      }
      assertThat(first.refCnt()).isZero();
      assertThat(second.refCnt()).isZero();
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyKindOfBufferMayHoldABadHeader(Kind kind) {
    ByteBuf read = kind.of(bytes("CAFE 01 41  CAFF 01 42"));
    FrameFormat magic = FrameFormat.builder()
        .beforeLength((byte) 0xCA, (byte) 0xFE)
        .lengthFieldLength(1)
        .build();
    try (CodecChannel channel = CodecChannel.of(magic)) {
      channel.read(read);

      assertThat(channel.events())
          .containsExactly(
              frame("41"),
              "CorruptFrameException: beforeLength bytes are 0xCAFF (expected: 0xCAFE)"
                  + " (peer embedded, frame 2)",
              "inactive");
    }
    assertThat(read.refCnt()).isZero();
  }
}
