package dev.mullion.framing;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What reading allocates follows the bytes that came, not the length that was announced. */
class FrameReaderMemoryTest {
  private static final int MIB = 1024 * 1024;
  private static final int ANNOUNCED = 8 * MIB;
  private static final int READ_AHEAD = 16 * 1024;

  /** Sees the arrays that a reader has read into, and how much it asks for at once. */
  private static final class Asked {
    final Set<byte[]> arrays = Collections.newSetFromMap(new IdentityHashMap<>());
    long longest;

    void read(byte[] to, int length) {
      arrays.add(to);
      longest = Math.max(longest, length);
    }

    /** Returns the bytes of all but the array for reading ahead. */
    long allocated() {
      return arrays.stream().mapToLong(array -> array.length).sum() - READ_AHEAD;
    }
  }

  /** How a reader gets its bytes. */
  enum Way {
    STREAM {
      @Override
      FrameReader of(byte[] wire, FrameFormat format, int piece, Asked asked) {
        return FrameReader.of(
            new ByteArrayInputStream(wire) {
              @Override
              public synchronized int read(byte[] to, int offset, int length) {
                asked.read(to, length);
                return super.read(to, offset, Math.min(piece, length));
              }
            },
            format);
      }
    },
    CHANNEL {
      @Override
      FrameReader of(byte[] wire, FrameFormat format, int piece, Asked asked) {
        ByteBuffer left = ByteBuffer.wrap(wire);
        return FrameReader.of(
            new ReadableByteChannel() {
              @Override
              @SuppressWarnings("ByteBufferBackingArray") // The reader's is on the heap.
              public int read(ByteBuffer to) {
                asked.read(to.array(), to.remaining());
                int length = Math.min(piece, Math.min(to.remaining(), left.remaining()));
                to.put(left.slice(left.position(), length));
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

    abstract FrameReader of(byte[] wire, FrameFormat format, int piece, Asked asked);
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
    for (int came : new int[] {0, 1, 100, 4096, 20_000, 100_000, 3 * MIB}) {
      byte[] wire = begun(format, came);
      for (int piece : came <= 4096 ? new int[] {1, 1000} : new int[] {1000, MIB}) {
        Asked asked = new Asked();
        FrameReader reader = way.of(wire, format, piece, asked);

        assertThatExceptionOfType(TruncatedFrameException.class)
            .isThrownBy(reader::read)
            .satisfies(cut -> assertThat(cut.received()).isEqualTo(came));
        assertThat(asked.allocated())
            .as("%d bytes of the frame came in pieces of %d", came, piece)
            .isLessThanOrEqualTo(2L * came + 4096);
        // The JDK takes so much outside the heap.
        assertThat(asked.longest)
            .isLessThanOrEqualTo(Math.max(READ_AHEAD, Math.min(64 * 1024, came)));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("everyFormatAndWay")
  void longFramesComeWhole(FrameFormat format, Way way) throws IOException {
    for (int length : new int[] {4095, 4097, 20_000, 65_537, 1_000_003}) {
      byte[] payload = TestBytes.random(length, length);
      byte[] wire = wire(format, payload);
      for (int piece : new int[] {999, MIB}) {
        FrameReader reader = way.of(wire, format, piece, new Asked());
        byte[] frame = requireNonNull(reader.read());
        assertThat(Arrays.mismatch(frame, frame.length - length, frame.length, payload, 0, length))
            .isEqualTo(-1);
        assertThat(reader.read()).isNull();
      }
    }
  }

  /** A frame whose header is kept looks like one whose header is not. */
  private static byte[] wire(FrameFormat format, byte[] payload) {
    boolean keeps = format.geometry().strip == 0;
    return TestBytes.wire(
        keeps ? format.toBuilder().initialBytesToStrip(4).build() : format, payload);
  }

  /** A header, and the first bytes behind it. */
  private static byte[] begun(FrameFormat format, int came) {
    byte[] whole = wire(format, new byte[ANNOUNCED]);
    int trailer = format.geometry().trailer.length;
    int header = whole.length - trailer - ANNOUNCED;
    return Arrays.copyOf(whole, header + came);
  }
}
