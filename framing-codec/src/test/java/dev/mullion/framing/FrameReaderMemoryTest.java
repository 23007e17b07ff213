package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What reading allocates follows the bytes that came, not the length that was announced. */
class FrameReaderMemoryTest {
  private static final int MIB = 1024 * 1024;
  private static final int ANNOUNCED = 8 * MIB;
  private static final int READ_AHEAD = 16 * 1024;

  /** An exception with its trace and text, and what the JVM allocates by itself. */
  private static final int NOISE = 4 * 1024;

  private static final ThreadMXBean THREADS =
      (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** How a reader gets its bytes. */
  enum Way {
    STREAM {
      @Override
      FrameReader of(byte[] wire, FrameFormat format, int piece, long[] longest) {
        return FrameReader.of(
            new ByteArrayInputStream(wire) {
              @Override
              public synchronized int read(byte[] to, int offset, int length) {
                longest[0] = Math.max(longest[0], length);
                return super.read(to, offset, Math.min(piece, length));
              }
            },
            format);
      }
    },
    CHANNEL {
      @Override
      FrameReader of(byte[] wire, FrameFormat format, int piece, long[] longest) {
        ByteBuffer left = ByteBuffer.wrap(wire);
        return FrameReader.of(
            new ReadableByteChannel() {
              @Override
              public int read(ByteBuffer to) {
                longest[0] = Math.max(longest[0], to.remaining());
                int length = Math.min(piece, Math.min(to.remaining(), left.remaining()));
                to.put(left.array(), left.position(), length);
                left.position(left.position() + length);
                return length == 0 ? -1 : length;
              }

              @Override
              public boolean isOpen() {
                return true;
              }

              @Override
              public void close() {}
            },
            format);
      }
    };

    abstract FrameReader of(byte[] wire, FrameFormat format, int piece, long[] longest);
  }

  private static List<FrameFormat> formats() {
    FrameFormat.Builder eight = FrameFormat.builder().lengthFieldLength(8);
    return Stream.of(
            FrameFormat.builder(),
            eight,
            FrameFormat.builder().lengthFieldLength(8).byteOrder(ByteOrder.LITTLE_ENDIAN),
            FrameFormat.builder().initialBytesToStrip(0),
            FrameFormat.builder().beforeLength((byte) 1, (byte) 2).trailer((byte) 3),
            FrameFormat.protobufDelimited().toBuilder(),
            FrameFormat.netstring().toBuilder(),
            FrameFormat.octetCountedSyslog().toBuilder(),
            FrameFormat.builder().lengthEncoding(LengthEncoding.asciiHex(8)))
        .map(builder -> builder.maxFrameLength(ANNOUNCED).build())
        .toList();
  }

  static Stream<Arguments> everyFormatAndWay() {
    return formats().stream()
        .flatMap(format -> Arrays.stream(Way.values()).map(way -> Arguments.of(format, way)));
  }

  /** Four bytes made a reader allocate 64 KiB. */
  @ParameterizedTest
  @MethodSource("everyFormatAndWay")
  void allocatesForWhatCame(FrameFormat format, Way way) throws IOException {
    long nothing = allocated(format, way, 1, 0, READ_AHEAD);
    for (int came : new int[] {0, 1, 100, 4096, 20_000, 100_000, 3 * MIB}) {
      for (int piece : came <= 4096 ? new int[] {1, 1000} : new int[] {1000, MIB}) {
        assertThat(allocated(format, way, ANNOUNCED, came, piece))
            .as("%d bytes of the frame came in pieces of %d", came, piece)
            .isLessThanOrEqualTo(nothing + 2L * came + 4096 + perRead(way, came, piece));
      }
    }
  }

  /** A channel is read into a view of the array, which is an object. */
  private static long perRead(Way way, int came, int piece) {
    return NOISE + (way == Way.CHANNEL ? 64L * (came / Math.min(piece, 4096) + 1) : 0);
  }

  @ParameterizedTest
  @MethodSource("everyFormatAndWay")
  void longFramesComeWhole(FrameFormat format, Way way) throws IOException {
    for (int length : new int[] {4095, 4097, 20_000, 65_537, 1_000_003}) {
      byte[] payload = TestBytes.random(length, length);
      byte[] wire = wire(format, payload);
      for (int piece : new int[] {999, MIB}) {
        FrameReader reader = way.of(wire, format, piece, new long[1]);
        byte[] frame = reader.read();
        assertThat(Arrays.mismatch(
                frame, frame.length - length, frame.length, payload, 0, length))
            .isEqualTo(-1);
        assertThat(reader.read()).isNull();
      }
    }
  }

  private static long allocated(FrameFormat format, Way way, int announced, int came, int piece)
      throws IOException {
    byte[] wire = begun(format, announced, came);
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 8; i++) {
      long[] longest = new long[1];
      FrameReader reader = way.of(wire, format, piece, longest);
      long before = THREADS.getThreadAllocatedBytes(Thread.currentThread().getId());
      try {
        reader.read();
      } catch (TruncatedFrameException cut) {
        assertThat(cut.received()).isEqualTo(came);
      }
      long after = THREADS.getThreadAllocatedBytes(Thread.currentThread().getId());
      least = Math.min(least, after - before);
      // The JDK takes so much outside the heap.
      assertThat(longest[0])
          .isLessThanOrEqualTo(Math.max(READ_AHEAD, Math.min(64 * 1024, came)));
    }
    return least;
  }

  /** A frame whose header is kept looks like one whose header is not. */
  private static byte[] wire(FrameFormat format, byte[] payload) {
    boolean keeps = format.geometry().strip == 0;
    return TestBytes.wire(
        keeps ? format.toBuilder().initialBytesToStrip(4).build() : format, payload);
  }

  /** A header, and the first bytes behind it. */
  private static byte[] begun(FrameFormat format, int announced, int came) {
    ByteBuf out = Unpooled.buffer();
    byte[] whole = wire(format, new byte[announced]);
    int trailer = format.geometry().trailer.length;
    int header = whole.length - trailer - announced;
    out.writeBytes(whole, 0, header + came);
    return ByteBufUtil.getBytes(out);
  }
}
