package dev.mullion.framing;

import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.random;
import static dev.mullion.framing.TestBytes.wire;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.mullion.framing.testing.ExhaustedAllocator;
import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is held of bytes that wait: at most twice what came, and a little. */
class FrameDecoderMemoryTest {
  private static final FrameFormat FORMAT = FrameFormat.defaults();
  private static final int MIB = 1024 * 1024;

  private static final int LITTLE = 4 * 1024;

  private final CountingAllocator memory = new CountingAllocator();
  private final FrameDecoder decoder = FrameDecoder.of(FORMAT);

  @AfterEach
  void nothingIsHeldInTheEnd() {
    decoder.close();
    assertThat(memory.held()).isZero();
    assertThat(memory.buffers()).isZero();
  }

  @ParameterizedTest
  @CsvSource({"'00800000 010203040506'", "00800000", "000000", "'00100000 01'", "'00001001 01'"})
  void announcedLengthTakesNoMemory(String part) throws FramingException {
    decoder.add(memory.read(bytes(part), 64 * 1024));

    assertThat(decoder.next()).isNull();
    assertThat(memory.held()).isLessThanOrEqualTo(LITTLE);
  }

  @Test
  void partOfTheNextHeaderDoesNotKeepALargeRead() throws FramingException {
    decoder.add(memory.read(new byte[65_535], 65_536));
    while (decoder.next() != null) {
      assertThat(memory.held()).isEqualTo(65_536);
    }

    assertThat(memory.held()).isLessThanOrEqualTo(64);
  }

  /** Parts grow to 256 KiB, which takes half a MiB. */
  @ParameterizedTest
  @CsvSource({
    "600000, 1, 1",
    "600000, 1, 2048",
    "600000, 7, 7",
    "1048576, 1000, 1000",
    "1048576, 1000, 2048",
    "1048576, 2048, 65536",
    "1048576, 65536, 65536",
    "8388608, 65536, 65536",
    "8388608, 20000, 65536",
    "8388608, 40000, 65536",
    "4096, 1, 1",
    "4097, 1, 1",
    "5000, 2500, 4096",
  })
  void heldMemoryFollowsWhatCame(int length, int piece, int capacity) throws FramingException {
    byte[] payload = random(length, length);
    byte[] wire = wire(FORMAT, payload);
    for (boolean asked : new boolean[] {true, false}) {
      long copied = memory.copied();
      long most = 0;
      for (int came = 0; came < wire.length; ) {
        if (asked && decoder.next() != null) {
          throw new AssertionError("not complete");
        }
        int end = Math.min(wire.length, came + piece);
        decoder.add(memory.read(Arrays.copyOfRange(wire, came, end), capacity));
        // The first is kept as it came, until something else comes or is asked for.
        int first = came == 0 ? capacity : 0;
        came = end;
        most = Math.max(most, memory.held() - 2L * came - first);
      }
      assertThat(most).as("held beyond twice of what came").isLessThanOrEqualTo(LITTLE);
      assertThat(decoder.bufferedBytes()).isEqualTo(wire.length);
      assertThat(memory.copied() - copied)
          .as("copied in all")
          .isLessThanOrEqualTo(wire.length + 64);

      assertThat(decoder.next()).isEqualTo(payload);
      assertThat(memory.held()).isZero();
    }
  }

  @Test
  void heldMemoryFollowsWhatCameInLongAndShortPieces() throws FramingException {
    byte[] wire = wire(FORMAT, random(MIB, 1));
    int came = 0;
    for (int piece = 1100; came < wire.length; piece = piece == 1 ? 1100 : 1) {
      assertThat(decoder.next()).isNull();
      int end = Math.min(wire.length, came + piece);
      decoder.add(memory.read(Arrays.copyOfRange(wire, came, end), 2048));
      came = end;
      assertThat(memory.held()).isLessThanOrEqualTo(2L * came + LITTLE);
    }
    assertThat(decoder.next()).hasSize(MIB);
  }

  /** Frames leave in front, bytes come behind, and what is made for many must not stay for few. */
  @ParameterizedTest(name = "seed {0}")
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void heldMemoryFollowsWhatWaits(long seed) throws FramingException {
    Random random = new Random(seed);
    byte[][] frames = new byte[300][];
    for (int i = 0; i < frames.length; i++) {
      frames[i] = new byte[random.nextInt(random.nextInt(5) == 0 ? 50_000 : 500)];
      random.nextBytes(frames[i]);
    }
    byte[] wire = wire(FORMAT, frames);
    long copied = 0;
    int came = 0;
    int taken = 0;
    while (came < wire.length) {
      int piece = 1 + random.nextInt(random.nextInt(3) == 0 ? 1 << (1 + random.nextInt(16)) : 20);
      int end = Math.min(wire.length, came + piece);
      decoder.add(memory.read(
          Arrays.copyOfRange(wire, came, end), end - came + random.nextInt(2 * piece + 1)));
      came = end;
      boolean all = random.nextInt(came % 400_000 < 200_000 ? 3 : 10_000) == 0;
      for (int some = random.nextInt(3); some > 0 || all; some--) {
        byte[] frame = decoder.next();
        if (frame == null) {
          assertThat(memory.held())
              .as("seed %s, %s bytes wait", seed, decoder.bufferedBytes())
              .isLessThanOrEqualTo(2L * decoder.bufferedBytes() + LITTLE);
          break;
        }
        assertThat(frame).isEqualTo(frames[taken++]);
      }
      copied = memory.copied();
    }
    while (taken < frames.length) {
      assertThat(decoder.next()).isEqualTo(frames[taken++]);
    }
    assertThat(copied).as("seed %s", seed).isLessThanOrEqualTo(2L * wire.length);
  }

  @Test
  void longPiecesAreKeptWhereTheyLie() throws FramingException {
    byte[] payload = random(MIB, 1);
    for (byte[] piece : TestBytes.pieces(wire(FORMAT, payload), 65_536)) {
      assertThat(decoder.next()).isNull();
      decoder.add(memory.read(piece, piece.length));
    }

    assertThat(memory.copied()).isLessThanOrEqualTo(64);
    assertThat(decoder.next()).isEqualTo(payload);
  }

  /** A slice of a large buffer keeps all of that buffer. */
  @Test
  void smallPieceOfALargeBufferIsNotKept() throws FramingException {
    ByteBuf large = memory.read(new byte[MIB], MIB).setInt(0, 100_000);
    decoder.add(large.readRetainedSlice(3000));
    large.release();

    assertThat(decoder.next()).isNull();
    assertThat(memory.held()).isLessThanOrEqualTo(2 * 3000 + LITTLE);
  }

  @Test
  void skippedFrameTakesNoMemory() throws FramingException {
    byte[] wire = wire(FORMAT, random(MIB, 1), bytes("41"));
    decoder.format(FORMAT.toBuilder().maxFrameLength(1000).build());
    decoder.add(memory.read(Arrays.copyOf(wire, 1001), 2048));
    assertThatExceptionOfType(FrameTooLargeException.class).isThrownBy(decoder::next);

    for (byte[] piece : TestBytes.pieces(Arrays.copyOfRange(wire, 1001, wire.length - 5), 1001)) {
      decoder.add(memory.read(piece, 2048));
      assertThat(memory.held()).isZero();
    }
    decoder.add(memory.read(bytes("00000001 41"), 5));
    assertThat(decoder.next()).isEqualTo(bytes("41"));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void nothingIsHeldBehindAFinalError(boolean corrupt) {
    FrameFormat format = FrameFormat.netstring();
    decoder.format(format);
    for (byte[] piece : TestBytes.pieces(wire(format, random(MIB, 1)), 50_000).subList(0, 20)) {
      decoder.add(memory.read(piece, 65_536));
    }
    assertThat(memory.held()).isGreaterThan(20 * 50_000);
    if (corrupt) {
      decoder.add(memory.read(new byte[100_000], 100_000));
    } else {
      decoder.end();
    }

    assertThatThrownBy(decoder::next)
        .isInstanceOf(corrupt ? CorruptFrameException.class : TruncatedFrameException.class);
    assertThat(memory.held()).isZero();
    if (corrupt) {
      decoder.add(memory.read(new byte[1000], 1000));
      assertThat(memory.held()).isZero();
    }
  }

  @Test
  void bytesThatCannotBeCopiedEndTheDecoding() {
    ExhaustedAllocator none = new ExhaustedAllocator();
    ByteBuf first = none.read(bytes("0000"));
    ByteBuf second = none.read(bytes("0000"));
    decoder.add(first);

    assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> decoder.add(second));
    assertThat(first.refCnt()).isZero();
    assertThat(second.refCnt()).isZero();
    // Else it would go on behind the bytes that were lost.
    assertThatIllegalStateException().isThrownBy(decoder::next).withMessage("decoder is closed");
  }
}
