package dev.mullion.framing;

import static dev.mullion.framing.Recorder.frame;
import static dev.mullion.framing.TestBytes.bytes;
import static dev.mullion.framing.TestBytes.random;
import static dev.mullion.framing.TestBytes.wire;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is held of a frame that has not come in full: at most twice what came, and a little. */
class CodecMemoryTest {
  private static final FrameFormat FORMAT = FrameFormat.defaults();
  private static final int MIB = 1024 * 1024;

  /** A part of 4 KiB, and the header. */
  private static final int LITTLE = 4 * 1024 + 64;

  private final CountingAllocator memory = new CountingAllocator();

  private EmbeddedChannel channel(LengthDelimitedCodec codec) {
    EmbeddedChannel channel = new EmbeddedChannel(codec);
    channel.config().setAllocator(memory);
    return channel;
  }

  @ParameterizedTest
  @CsvSource({"'00800000 010203040506'", "00800000", "000000", "'00100000 01'", "'00001001 01'"})
  void announcedLengthTakesNoMemory(String part) {
    for (boolean batches : new boolean[] {false, true}) {
      EmbeddedChannel channel =
          channel(LengthDelimitedCodec.builder().batches(batches).build());

      channel.writeInbound(memory.read(bytes(part), 64 * 1024));

      assertThat(memory.held()).isLessThanOrEqualTo(LITTLE);
      finish(channel);
    }
  }

  /**
   * Parts grow to 256 KiB, which takes half a MiB. A shorter frame has one buffer, which is copied
   * each time it has doubled.
   */
  @ParameterizedTest
  @CsvSource({
    "600000, 1, 1",
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
    "65536, 1, 1",
    "65536, 1000, 65536",
    "65536, 30000, 65536",
    "65536, 40000, 65536",
    "262140, 65536, 65536",
  })
  void heldMemoryFollowsWhatCame(int length, int piece, int capacity) {
    byte[] payload = random(length, length);
    byte[] wire = wire(FORMAT, payload);
    EmbeddedChannel channel = channel(LengthDelimitedCodec.create());
    boolean inOnePiece = wire.length <= PartialFrame.IN_ONE_PIECE;
    long most = 0;
    for (int came = 0; came < wire.length; ) {
      int end = Math.min(wire.length, came + piece);
      ByteBuf read = memory.read(Arrays.copyOfRange(wire, came, end), capacity);
      long before = memory.copied();
      channel.pipeline().fireChannelRead(read);
      came = end;
      most = Math.max(most, memory.held() - 2L * came);
      assertThat(memory.copied() - before)
          .as("copied of %s", piece)
          .isLessThanOrEqualTo((inOnePiece ? came : piece) + 64);
    }

    assertThat(most).as("held beyond twice of what came").isLessThanOrEqualTo(LITTLE);
    assertThat(memory.copied())
        .as("copied in all")
        .isLessThanOrEqualTo((inOnePiece ? 3L : 1L) * wire.length + 64);
    ByteBuf frame = channel.readInbound();
    assertThat(frame).isEqualTo(io.netty.buffer.Unpooled.wrappedBuffer(payload));
    frame.release();
    assertThat(memory.held()).isZero();
    finish(channel);
  }

  /** Behind each long piece, which is kept, a short one once began a part of 4 KiB. */
  @Test
  void heldMemoryFollowsWhatCameInLongAndShortPieces() {
    byte[] wire = wire(FORMAT, random(MIB, 1));
    EmbeddedChannel channel = channel(LengthDelimitedCodec.create());
    int came = 0;
    for (int piece = 2100; came < wire.length; piece = piece == 1 ? 2100 : 1) {
      int end = Math.min(wire.length, came + piece);
      channel.writeInbound(memory.read(Arrays.copyOfRange(wire, came, end), 4096));
      came = end;
      assertThat(memory.held()).isLessThanOrEqualTo(2L * came + LITTLE);
    }

    ((ByteBuf) channel.readInbound()).release();
    finish(channel);
  }

  @Test
  void longPiecesAreKeptWhereTheyLie() {
    byte[] wire = wire(FORMAT, random(MIB, 1));
    EmbeddedChannel channel = channel(LengthDelimitedCodec.create());

    for (byte[] piece : TestBytes.pieces(wire, 65_536)) {
      channel.writeInbound(memory.read(piece, piece.length));
    }

    assertThat(memory.copied()).isLessThanOrEqualTo(64);
    ((ByteBuf) channel.readInbound()).release();
    finish(channel);
  }

  /** A composite buffer takes several times as long to read from. */
  @ParameterizedTest
  @CsvSource({"5000, 2500", "65536, 1", "65536, 40000", "65536, 65536", "262140, 65536"})
  void frameOfUpTo256KiBIsInOneRegion(int length, int piece) {
    byte[] payload = random(length, 1);
    EmbeddedChannel channel = channel(LengthDelimitedCodec.create());

    for (byte[] part : TestBytes.pieces(wire(FORMAT, payload), piece)) {
      channel.writeInbound(memory.read(part, 65_536));
    }

    ByteBuf frame = channel.readInbound();
    assertThat(frame.nioBufferCount()).isEqualTo(1);
    assertThat(frame).isEqualTo(io.netty.buffer.Unpooled.wrappedBuffer(payload));
    frame.release();
    finish(channel);
  }

  /** A slice of a large buffer keeps all of that buffer. */
  @Test
  void smallPieceOfALargeBufferIsNotKept() {
    EmbeddedChannel channel = channel(LengthDelimitedCodec.create());
    ByteBuf large = memory.read(new byte[MIB], MIB).setInt(0, 100_000);

    channel.writeInbound(large.readRetainedSlice(3000));
    large.release();

    assertThat(memory.held()).isLessThanOrEqualTo(2 * 3000 + LITTLE);
    finish(channel);
  }

  @Test
  void partOfTheNextFrameDoesNotKeepALargeRead() {
    byte[] many = new byte[65_536];
    many[65_535] = 0;
    EmbeddedChannel channel =
        channel(LengthDelimitedCodec.builder().batches(true).build());

    channel.writeInbound(memory.read(Arrays.copyOf(many, 65_535), 65_536));

    assertThat(memory.held()).isLessThanOrEqualTo(64);
    finish(channel);
  }

  @ParameterizedTest
  @ValueSource(strings = {"close", "cut", "remove"})
  void pendingFrameIsReleasedWhenTheConnectionEnds(String end) {
    EmbeddedChannel channel = channel(LengthDelimitedCodec.create());
    for (byte[] piece : TestBytes.pieces(wire(FORMAT, random(MIB, 1)), 50_000).subList(0, 20)) {
      channel.writeInbound(memory.read(piece, 65_536));
    }
    assertThat(memory.held()).isGreaterThan(20 * 50_000);

    switch (end) {
      case "close" -> channel.close();
      case "cut" ->
        channel
            .pipeline()
            .fireUserEventTriggered(io.netty.channel.socket.ChannelInputShutdownEvent.INSTANCE);
      default -> {
        channel.pipeline().remove(LengthDelimitedCodec.class);
        channel.releaseInbound();
      }
    }

    assertThat(memory.held()).isZero();
    finish(channel);
  }

  @Test
  void skippedFrameTakesNoMemory() {
    byte[] wire = wire(FORMAT, random(MIB, 1), bytes("41"));
    LengthDelimitedCodec codec = LengthDelimitedCodec.builder()
        .format(FORMAT.toBuilder().maxFrameLength(1000).build())
        .tooLargePolicy(TooLargePolicy.SKIP)
        .build();
    EmbeddedChannel channel = channel(codec);
    Recorder recorder = new Recorder();
    channel.pipeline().addLast(recorder);

    for (byte[] piece : TestBytes.pieces(wire, 1001)) {
      channel.writeInbound(memory.read(piece, 2048));
      assertThat(memory.held()).isLessThanOrEqualTo(64);
    }

    assertThat(recorder.events()).containsExactly(frame("41"));
    finish(channel);
  }

  @Test
  void shortFramesOfWhichEachIsCutTakeLittle() {
    byte[][] frames = new byte[1000][100];
    EmbeddedChannel channel =
        channel(LengthDelimitedCodec.builder().batches(true).build());

    for (byte[] piece : TestBytes.pieces(wire(FORMAT, frames), 99)) {
      channel.writeInbound(memory.read(piece, 2048));
      assertThat(memory.held()).isLessThanOrEqualTo(LITTLE);
    }

    assertThat(memory.held()).isZero();
    finish(channel);
  }

  private void finish(EmbeddedChannel channel) {
    try {
      channel.finishAndReleaseAll();
    } catch (Exception expected) {
      assertThat(expected).isInstanceOf(TruncatedFrameException.class);
    }
    assertThat(memory.held()).isZero();
    assertThat(memory.buffers()).isZero();
  }
}
